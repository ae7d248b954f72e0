"""Fuzz the checkpoint reader: no execution, no crash, no file touched, bounded memory.

    python benchmarks/fuzz_checkpoints.py --inputs 100000 --seed 0 [--keep DIR]

Every input is a damaged checkpoint. A run counts outcomes; anything but a listing or one `CheckpointError` sentence is
a failure, as is a file that appears, an event that the interpreter's audit hook reports (import of a new module,
process, socket, open for writing), or an input that takes longer than `SLOW` seconds of processor time.
"""

import argparse
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from checkpoint_mutations import MARKER, hostile, mutate, seeds

import torchclinic as tc
from torchclinic.errors import CheckpointError

SLOW = 5.0
FORBIDDEN = (
    "exec",
    "compile",
    "os.system",
    "subprocess.",
    "socket.",
    "os.remove",
    "os.rename",
    "os.mkdir",
    "shutil.",
    "ctypes.",
    "pickle.find_class",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
)


class Watch:
    """Counts what the interpreter reports while `on`."""

    def __init__(self) -> None:
        self.on = False
        self.seen: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple) -> None:
        if not self.on:
            return
        writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        if writes or event.startswith(FORBIDDEN):
            self.seen.append(f"{event} {arguments!r}"[:200])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="Folder for inputs that fail.")
    options = parser.parse_args()
    draw, watch, outcomes, failures = random.Random(options.seed), Watch(), Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        marker = Path(folder) / MARKER
        starts = [*seeds(marker), *(data for data in hostile(marker).values() if data)]
        places = [Path(folder) / f"input{suffix}" for suffix in (".pth", ".safetensors", ".index.json")]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for start in starts:  # warm up: everything the package imports lazily is imported now
            _inspect(places[0], start)
        modules, began, slowest = set(sys.modules), time.process_time(), 0.0
        for index in range(options.inputs):
            data = mutate(draw.choice(starts), starts, draw)
            place = places[2] if data[:1] == b"{" else places[0]
            place.write_bytes(data)
            watch.on, clock = True, time.process_time()
            try:
                outcome = _outcome(place)
            finally:
                watch.on = False
            seconds = time.process_time() - clock
            slowest = max(slowest, seconds)
            problems = _problems(folder, places, modules, watch, seconds)
            outcomes[outcome] += 1
            if outcome.startswith("CRASH") or problems:
                failures.append((index, outcome, problems))
                print("FAILURE", index, outcome, problems, flush=True)
                if options.keep:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    (options.keep / f"{options.seed}-{index}").write_bytes(data)
            place.unlink()
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    for outcome, count in outcomes.most_common():
        print(f"{count:>8,}  {outcome}")
    seconds = time.process_time() - began
    print(f"{options.inputs:,} inputs in {seconds:.0f} s of processor time, slowest {slowest:.2f} s, peak memory +{grown:.0f} MiB")
    print(f"{len(failures)} failures")
    sys.exit(bool(failures))


def _inspect(place: Path, data: bytes) -> None:
    place.write_bytes(data)
    _outcome(place)
    place.unlink()


def _outcome(place: Path) -> str:
    try:
        found = tc.inspect_checkpoint(place)
        found.to_dict()
    except CheckpointError as error:
        return "refused" if "\n" not in str(error) and len(str(error)) < 1000 else "CRASH: no sentence"
    except BaseException as error:  # noqa: BLE001  whatever it is, it is a failure to be counted
        return f"CRASH: {type(error).__name__}: {error}"[:200]
    return f"listed as {found.kind}"


def _problems(folder: str, places: list[Path], modules: set[str], watch: Watch, seconds: float) -> list[str]:
    problems, watch.seen = watch.seen, []
    problems += [f"new module {name}" for name in sorted(set(sys.modules) - modules)]
    modules.update(sys.modules)
    problems += [f"new file {path}" for path in Path(folder).iterdir() if path not in places]
    return problems + ([f"{seconds:.1f} s"] if seconds > SLOW else [])


if __name__ == "__main__":
    main()
