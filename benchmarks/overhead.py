"""What does watching cost? Plain steps, steps at the default budget, and steps observed in full, interleaved.

    python benchmarks/overhead.py                         # four workloads, one thread
    python benchmarks/overhead.py --rounds 15 --only mlp
    python benchmarks/overhead.py --device cuda           # the same on a GPU, and the two large ones at sizes for it

Each round runs a block of plain steps and a block under observation, in turn, in one process; the figure is the median
over the rounds of the ratio of their times. `budget` is the ordinary `torchclinic run` after its first forty steps, `statistics`
measures every layer at every step (mean, spread, extremes, units ever active, gradient norm, relative update), `full`
traces every step (every operation, module, gradient and update). The memory figure is what 10,000 observed steps of
the smallest workload leave behind. On the CPU processor time is compared (the machine may be shared), on a GPU the
time until it has finished.
"""

import argparse
import gc
import statistics
import time
import tracemalloc
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from torchclinic.models.resnet import resnet18
from torchclinic.observe.session import Session
from torchclinic.observe.windows import EARLY_SAMPLES

MODES = ("budget", "statistics", "full")
LIMITS = {"resnet18": 1.05, "transformer": 1.05, "cnn": 1.05, "mlp": 1.10}
LARGE = ("resnet18-large", "transformer-large")


def workload(name: str, device: str) -> tuple[nn.Module, Callable[[], torch.Tensor], int]:
    """A model, a function that gives its loss on a fixed batch, and how many steps make a block."""
    torch.manual_seed(0)
    with torch.device(device):
        model, loss, steps = _workload(name.removesuffix("-large"), 8 if name.endswith("-large") else 1)
    return model, loss, steps if device == "cpu" else 100


def _workload(name: str, scale: int) -> tuple[nn.Module, Callable[[], torch.Tensor], int]:
    if name == "mlp":
        model: nn.Module = nn.Sequential(
            nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
        )
        x, y = torch.randn(128, 784), torch.randint(0, 10, (128,))
        return model, lambda: F.cross_entropy(model(x), y), 200
    if name == "cnn":
        model = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 49, 10),
        )  # fmt: skip
        x, y = torch.randn(32, 1, 28, 28), torch.randint(0, 10, (32,))
        return model, lambda: F.cross_entropy(model(x), y), 40
    if name == "transformer":
        layer = nn.TransformerEncoderLayer(256, 4, 1024, batch_first=True)
        model = nn.Sequential(nn.TransformerEncoder(layer, 4), nn.Flatten(), nn.Linear(64 * 256, 10))
        x, y = torch.randn(16 * scale, 64, 256), torch.randint(0, 10, (16 * scale,))
        return model, lambda: F.cross_entropy(model(x), y), 3
    model = resnet18()
    x, y = torch.randn(32 * scale, 3, 32, 32), torch.randint(0, 10, (32 * scale,))
    return model, lambda: F.cross_entropy(model(x), y), 2


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


def measure(name: str, rounds: int, mode: str, device: str) -> list[float]:
    """Ratio observed / plain of each round."""
    model, loss, steps = workload(name, device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    block(loss, optimizer, max(2, steps // 4), device)
    ratios = []
    session = Session(budget=0.05 if mode == "budget" else 1e9)
    session.every_step = mode == "full"
    if mode == "statistics":
        session.budget.due = lambda step: False
    for _ in range(rounds):
        plain = block(loss, optimizer, steps, device)
        session.resume()
        if session.step == 0:
            block(loss, optimizer, EARLY_SAMPLES + 8, device)  # the first steps are looked at whatever they cost
        watched = block(loss, optimizer, steps, device)
        session.suspend()
        ratios.append(watched / plain)
    session.close()
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
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", choices=list(LIMITS))
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--memory", action="store_true", help="measure the memory of 10,000 steps")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    device = arguments.device
    where = "1 thread" if device == "cpu" else torch.cuda.get_device_name()
    print(
        f"torch {torch.__version__}, {where}, {arguments.rounds} rounds, median (lowest to highest) of observed / plain"
    )
    names = [arguments.only] if arguments.only else [*LIMITS, *(LARGE if device == "cuda" else ())]
    for name in names:
        for mode in arguments.modes:
            ratios = measure(name, arguments.rounds, mode, device)
            middle, low, high = statistics.median(ratios), min(ratios), max(ratios)
            print(f"{name:12} {mode:10} {middle:.3f} ({low:.3f} to {high:.3f})", flush=True)
    if arguments.memory:
        print(f"10,000 steps: {memory():.2f} MB more")


if __name__ == "__main__":
    main()
