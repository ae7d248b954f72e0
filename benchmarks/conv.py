"""How far tc.conv2d and tc.max_pool2d are from torch's own kernels, in time and in peak memory.

    PYTHONPATH=src python benchmarks/conv.py

Both run in the same process, alternately, on one thread. `median` and `best` are the ratios of the medians and of the
fastest calls: on a busy machine the second is the steadier. Peak memory is the most that was allocated at once during
the call, without its input, from torch's profiler.
"""

import platform
import statistics
import time
from collections.abc import Callable

import torch
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile

import torchclinic as tc
from torchclinic.units import format_nbytes, format_seconds

ROUNDS = 25


def compare(mine: Callable[[], object], torchs: Callable[[], object]) -> tuple[list[float], list[float]]:
    """Seconds of each call, made alternately, without two to warm up."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS + 2):
        for function, kept in zip((mine, torchs), seconds, strict=True):
            start = time.perf_counter()
            function()
            kept.append(time.perf_counter() - start)
    return seconds[0][2:], seconds[1][2:]


def peak_nbytes(function: Callable[[], object]) -> int:
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        kept = function()
    now = peak = 0
    for event in profiler.profiler.kineto_results.events():
        if event.name() == "[memory]":
            now += event.nbytes()
            peak = max(peak, now)
    del kept
    return peak


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, {platform.machine()}, 1 thread, float32, batch 1, median of {ROUNDS}")
    cases: list[tuple[str, str, Callable[[], object], Callable[[], object]]] = []
    for C, filters in ((3, 64), (3, 3), (64, 64)):
        x, w = torch.randn(1, C, 224, 224), torch.randn(filters, C, 3, 3)
        for method in ("strided", "im2col"):
            label = f"conv2d {method} 224x224x{C}->{filters} k3"
            goal = "2" if method == "strided" else "-"
            cases.append(
                (
                    label,
                    goal,
                    lambda x=x, w=w, m=method: tc.conv2d(x, w, padding=1, method=m),
                    lambda x=x, w=w: F.conv2d(x, w, padding=1),
                )
            )
    for C, k, s in ((3, 2, 2), (64, 2, 2), (64, 3, 2)):
        x = torch.randn(1, C, 224, 224)
        label = f"max_pool2d 224x224x{C} k{k} s{s}"
        cases.append((label, "3", lambda x=x, k=k, s=s: tc.max_pool2d(x, k, s), lambda x=x, k=k, s=s: F.max_pool2d(x, k, s)))
    print(f"{'case':<38}{'ours':>10}{'torch':>10}{'median':>8}{'best':>6}{'goal':>6}{'ours, peak':>12}{'torch, peak':>12}")
    with torch.no_grad():
        for label, goal, mine, torchs in cases:
            ours, theirs = compare(mine, torchs)
            a, b = statistics.median(ours), statistics.median(theirs)
            memory = format_nbytes(peak_nbytes(mine)), format_nbytes(peak_nbytes(torchs))
            row = f"{label:<38}{format_seconds(a):>10}{format_seconds(b):>10}{a / b:>8.2f}{min(ours) / min(theirs):>6.2f}{goal:>6}"
            print(f"{row}{memory[0]:>12}{memory[1]:>12}")


if __name__ == "__main__":
    main()
