"""Time and memory of inspecting a ResNet-18 checkpoint (about 45 MB), against torch.load of the same file.

    python benchmarks/inspect_checkpoint.py [--repetitions 5]

Each measurement is a fresh process; extra memory is its peak resident size minus that of a process which has only
imported the tool. Medians of the repetitions.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

MEASURE = """
import resource, sys, time
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
{setup}
base, start = peak(), time.perf_counter()
{act}
print(time.perf_counter() - start, peak() - base, 'torch' in sys.modules)
"""
CASES = {
    "inspect_checkpoint, all values": (
        "from torchclinic.checkpoints.inspection import inspect_checkpoint",
        "inspect_checkpoint(sys.argv[1])",
    ),
    "inspect_checkpoint, listing only": (
        "from torchclinic.checkpoints.inspection import inspect_checkpoint",
        "inspect_checkpoint(sys.argv[1], values=False)",
    ),
    "import + inspect_checkpoint, all values": ("", "import torchclinic as tc; tc.inspect_checkpoint(sys.argv[1])"),
    "torch.load": ("import torch", "torch.load(sys.argv[1])"),
    "import + torch.load": ("", "import torch; torch.load(sys.argv[1])"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "resnet18.pth"
        build = (
            "import sys, torch; from torchclinic.models.resnet import BasicBlock, ResNet;"
            "torch.save(ResNet(BasicBlock, [2, 2, 2, 2]).state_dict(), sys.argv[1])"
        )
        subprocess.run([sys.executable, "-c", build, str(path)], check=True)
        print(f"{path.stat().st_size / 1e6:.1f} MB, {options.repetitions} repetitions")
        for name, (setup, act) in CASES.items():
            runs = [_run(MEASURE.format(setup=setup, act=act), path) for _ in range(options.repetitions)]
            seconds = statistics.median(float(run[0]) for run in runs)
            memory = statistics.median(float(run[1]) for run in runs)
            print(f"{name:<42} {seconds:6.3f} s  +{memory:6.1f} MiB  torch imported: {runs[0][2]}")


def _run(code: str, path: Path) -> list[str]:
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    return done.stdout.split()


if __name__ == "__main__":
    main()
