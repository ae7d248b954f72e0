"""What does watching cost? Plain steps and observed ones, in two processes that take turns.

    python benchmarks/overhead.py                         # four workloads, one thread
    python benchmarks/overhead.py --pairs 9 --only mlp
    python benchmarks/overhead.py --beside ../before      # this version and another checkout, in the same rounds
    python benchmarks/overhead.py --device cuda           # the same on a GPU, and the two large ones at sizes for it

A pair is a process that trains plainly and one that trains the same under observation; they run a block of steps in turn,
on the same core where the system lets us choose, and the time of one block is divided by that of the other. The figure
is the median over all rounds of all pairs; beside it stand the medians of the lowest and the highest pair (where the
memory of a process comes to lie alone makes some percent). `budget` is the ordinary `torchclinic run` after its first
steps, `statistics` measures every layer at every step (mean, spread, extremes, units ever active, gradient norm,
relative update), `full` traces every step (every operation, module, gradient and update). The memory figure is what
10,000 observed steps of a small network leave behind. On the CPU processor time is compared (the machine may be shared),
on a GPU the time until it has finished.
"""

import argparse
import gc
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from torchclinic.models.resnet import resnet18
from torchclinic.observe.depth.schedule import EARLY_SAMPLES
from torchclinic.observe.session import Session

HERE = Path(__file__).resolve().parents[1]
MODES = ("budget", "statistics", "full")
LIMITS = {"resnet18": 1.05, "transformer": 1.05, "cnn": 1.05, "mlp": 1.10}
LARGE = ("resnet18-large", "transformer-large")


WARM_UP = 3  # steps of a block before the clock starts
KEEPING = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 32)}
"""Memory that was freed is used again. Else it depends on what was allocated before whether large tensors are given back
to the system each time, and a process that observes may seem faster than one that does not."""


def workload(name: str, device: str) -> tuple[nn.Module, Callable[[], torch.Tensor], int]:
    """A model, a function that gives its loss on a fixed batch, and how many steps make a block."""
    torch.manual_seed(0)
    with torch.device(device):
        model, loss, steps = _workload(name.removesuffix("-large"), 8 if name.endswith("-large") else 1)
    return model, loss, steps if device == "cpu" else 100


def _workload(name: str, scale: int) -> tuple[nn.Module, Callable[[], torch.Tensor], int]:
    if name == "mlp":
        model: nn.Module = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))
        x, y = torch.randn(128, 784), torch.randint(0, 10, (128,))
        return model, lambda: F.cross_entropy(model(x), y), 50
    if name == "cnn":
        model = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 49, 10),
        )
        x, y = torch.randn(32, 1, 28, 28), torch.randint(0, 10, (32,))
        return model, lambda: F.cross_entropy(model(x), y), 12
    if name == "transformer":
        layer = nn.TransformerEncoderLayer(256, 4, 1024, batch_first=True)
        model = nn.Sequential(nn.TransformerEncoder(layer, 4), nn.Flatten(), nn.Linear(64 * 256, 10))
        x, y = torch.randn(16 * scale, 64, 256), torch.randint(0, 10, (16 * scale,))
        return model, lambda: F.cross_entropy(model(x), y), 2
    model = resnet18()
    x, y = torch.randn(32 * scale, 3, 32, 32), torch.randint(0, 10, (32 * scale,))
    return model, lambda: F.cross_entropy(model(x), y), 1


def now(device: str) -> float:
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def block(loss: Callable[[], torch.Tensor], optimizer: torch.optim.Optimizer, steps: int, device: str = "cpu") -> float:
    start = now(device)
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    return now(device) - start


def train(name: str, mode: str, device: str) -> None:
    """One process of a pair: a block of steps for each line of the input, and its seconds."""
    torch.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    model, loss, steps = workload(name, device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    session = None
    if mode != "plain":
        session = Session(budget=0.05 if mode == "budget" else 1e9)
        session.schedule.every_step = mode == "full"
        if mode == "statistics":
            session.budget.due = lambda step: False  # type: ignore[method-assign]
        session.resume()
    block(loss, optimizer, EARLY_SAMPLES + 8, device)  # the first steps are looked at whatever they cost
    print("ready", flush=True)
    for _ in sys.stdin:
        if session is not None:
            session.budget.resume()  # the other's turn was not ours to watch
        block(loss, optimizer, min(WARM_UP, steps), device)
        print(block(loss, optimizer, steps, device), flush=True)
    if session is not None:
        session.close()


def start(kind: str, name: str, device: str, root: Path) -> subprocess.Popen[str]:
    """A process that trains, with the package of the checkout at `root`, whenever it is asked for a block."""
    command = [sys.executable, str(root / "benchmarks" / "overhead.py"), "--device", device, "--train", name, kind]
    environment = os.environ | KEEPING | {"PYTHONPATH": str(root / "src")}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def ask(process: subprocess.Popen[str]) -> float:
    """The seconds of one block."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def measure(name: str, rounds: int, mode: str, device: str, roots: list[Path]) -> list[list[float]]:
    """For each checkout, the ratio observed / plain of each round; all processes take turns."""
    processes = [start(kind, name, device, root) for kind, root in [("plain", HERE), *((mode, root) for root in roots)]]
    ratios: list[list[float]] = [[] for _ in roots]
    for number in range(rounds):
        order = range(len(processes)) if number % 2 else reversed(range(len(processes)))
        seconds = {place: ask(processes[place]) for place in order}
        for place in range(len(roots)):
            ratios[place].append(seconds[place + 1] / seconds[0])
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
    return ratios


def memory() -> float:
    """MB that 10,000 steps of a small network leave behind while they are observed at the default budget."""
    torch.manual_seed(0)
    model = nn.Linear(8, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, y = torch.randn(16, 8), torch.randint(0, 3, (16,))
    tracemalloc.start()
    with Session():
        block(lambda: F.cross_entropy(model(x), y), optimizer, 100)
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        block(lambda: F.cross_entropy(model(x), y), optimizer, 10_000)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return grown / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--only", choices=[*LIMITS, *LARGE])
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--beside", type=Path, help="the checkout of another version, measured in the same rounds")
    parser.add_argument("--memory", action="store_true", help="measure the memory of 10,000 steps")
    parser.add_argument("--train", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    device = arguments.device
    if arguments.train:
        train(*arguments.train, device)
        return
    where = "1 thread" if device == "cpu" else torch.cuda.get_device_name()
    print(f"torch {torch.__version__}, {where}, {arguments.pairs} pairs of {arguments.rounds} rounds; observed / plain:")
    names = [arguments.only] if arguments.only else [*LIMITS, *(LARGE if device == "cuda" else ())]
    for name in names:
        for mode in arguments.modes:
            roots = [HERE, *filter(None, [arguments.beside])]
            taken = [measure(name, arguments.rounds, mode, device, roots) for _ in range(arguments.pairs)]
            for place, root in enumerate(roots):
                pairs = [ratios[place] for ratios in taken]
                middle = statistics.median([ratio for pair in pairs for ratio in pair])
                each = [statistics.median(pair) for pair in pairs]
                beside = "" if root == HERE else "  the version beside it"
                print(f"{name:12} {mode:10} {middle:.3f} ({min(each):.3f} to {max(each):.3f}){beside}", flush=True)
    if arguments.memory:
        print(f"10,000 steps: {memory():.2f} MB more")


if __name__ == "__main__":
    main()
