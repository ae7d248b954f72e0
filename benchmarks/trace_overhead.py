"""Cost of `trace` per operation, against the same loop bare and under a dispatch mode that does nothing.

    python benchmarks/trace_overhead.py

The operations are as small as they get (4 elements), so that what is measured is the observer. Also `explain_view`
on a 5-d tensor. Medians of `--repeats` runs, alternating, in one process on one thread, in CPU time (other load on
the machine counts less).
"""

import argparse
import json
import platform
import statistics
import time

import torch
from torch.utils._python_dispatch import TorchDispatchMode

import torchclinic as tc

OPERATIONS = 3_000


class Bare(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


def loop(x: torch.Tensor) -> torch.Tensor:
    for _ in range(OPERATIONS // 3):
        y = x.view(2, 2)
        x = x.add(1)
        y.mul_(2)
    return x


def under_bare_mode(x: torch.Tensor) -> None:
    with Bare():
        loop(x)


def under_trace(x: torch.Tensor) -> None:
    assert len(tc.trace(loop, x).operations) == OPERATIONS


def under_explain_errors(x: torch.Tensor) -> None:
    with tc.explain_errors():
        loop(x)


def microseconds(function, *args, calls: int) -> float:
    start = time.process_time()
    function(*args)
    return (time.process_time() - start) / calls * 1e6


def explain_many(x: torch.Tensor, shape: tuple[int, ...], fixes: bool) -> None:
    for _ in range(1_000):
        explained = tc.explain_view(x, *shape)
        if fixes:
            assert explained.fixes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    small = torch.zeros(4)
    x = torch.empty(2, 3, 4, 5, 6).permute(0, 2, 1, 4, 3)
    runs = {
        "bare": lambda: microseconds(loop, small, calls=OPERATIONS),
        "empty dispatch mode": lambda: microseconds(under_bare_mode, small, calls=OPERATIONS),
        "trace": lambda: microseconds(under_trace, small, calls=OPERATIONS),
        "explain_errors": lambda: microseconds(under_explain_errors, small, calls=OPERATIONS),
        "explain_view, possible": lambda: microseconds(explain_many, x, (2, 4, 3, 6, 5), False, calls=1_000),
        "explain_view, impossible": lambda: microseconds(explain_many, x, (24, 30), False, calls=1_000),
        "explain_view, impossible, with fixes": lambda: microseconds(explain_many, x, (24, 30), True, calls=1_000),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            times[name].append(run())
    medians = {name: round(statistics.median(values), 2) for name, values in times.items()}
    result = {
        "torch": torch.__version__,
        "machine": platform.machine(),
        "threads": 1,
        "repeats": repeats,
        "microseconds": medians,
        "trace adds, per operation": round(medians["trace"] - medians["bare"], 2),
        "trace adds to an empty dispatch mode": round(medians["trace"] - medians["empty dispatch mode"], 2),
        "explain_errors adds, per operation": round(medians["explain_errors"] - medians["bare"], 2),
        "trace / empty dispatch mode": round(medians["trace"] / medians["empty dispatch mode"], 2),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
