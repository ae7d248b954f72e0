"""Compare tc.conv2d, tc.max_pool2d and tc.avg_pool2d with torch over random arguments, good and bad.

    PYTHONPATH=src python benchmarks/conv_agreement.py --sets 20000

Each set draws shapes, stride, padding, dilation, groups, dtype, ceil_mode and so on, and asks: do both refuse, or
do both answer with the same values? Convolutions and averages: within the rounding bound derived in `bound`; maxima and
their indices: equal.
"""

import argparse
import random
import sys
import time
import warnings

import torch
from torch.nn import functional as F

import torchclinic as tc
from torchclinic.errors import InputError


def bound(magnitude: torch.Tensor, terms: int) -> torch.Tensor:
    """How far two summations of the same products, in any order, can lie apart: 2·γ(n)·Σ|w·x| with n terms.

    Reference: Higham 2002, Accuracy and Stability of Numerical Algorithms, equation 3.5.
    """
    unit = torch.finfo(magnitude.dtype).eps / 2
    n = (terms + 2) * unit
    return 2 * n / (1 - n) * magnitude + torch.finfo(magnitude.dtype).tiny


def outcome(function, *args, **kwargs):
    try:
        return function(*args, **kwargs)
    except (RuntimeError, ValueError) as error:
        return error


def number(rng: random.Random, low: int, high: int):
    """One number, or two, as users write them."""
    return rng.choice([rng.randint(low, high), (rng.randint(low, high), rng.randint(low, high))])


def try_conv(rng: random.Random) -> str:
    dtype = rng.choice([torch.float32, torch.float64])
    groups = rng.choice([1, 1, 1, 2, 3])
    C, filters = groups * rng.randint(1, 3), groups * rng.randint(1, 3)
    kernel = (rng.randint(1, 4), rng.randint(1, 4))
    shape = ([rng.randint(0, 3)] if rng.random() < 0.8 else []) + [C, rng.randint(1, 12), rng.randint(1, 12)]
    x, w = torch.randn(shape, dtype=dtype), torch.randn(filters, C // groups, *kernel, dtype=dtype)
    b = torch.randn(filters + (rng.random() < 0.02), dtype=dtype) if rng.random() < 0.5 else None
    kwargs = {
        "stride": number(rng, 0 if rng.random() < 0.05 else 1, 3),
        "padding": rng.choice([number(rng, 0, 3), number(rng, 0, 3), "same", "valid", 0]),
        "dilation": number(rng, 1, rng.choice([1, 1, 3])),
        "groups": groups if rng.random() < 0.97 else groups + 1,
    }
    if kwargs["padding"] == "same" and rng.random() < 0.9:
        kwargs["stride"] = 1
    if rng.random() < 0.02:
        kwargs["padding"] = rng.choice([-1, "full"])
    method = rng.choice(["strided", "strided", "im2col", "loops"])
    mine, torchs = outcome(tc.conv2d, x, w, b, **kwargs, method=method), outcome(F.conv2d, x, w, b, **kwargs)
    if isinstance(torchs, Exception) or isinstance(mine, Exception):
        same = isinstance(mine, InputError) and isinstance(torchs, Exception)
        return "refused" if same else f"conv2d {tuple(x.shape)} {tuple(w.shape)} {kwargs}: {mine!r} against {torchs!r}"
    allowed = bound(F.conv2d(x.abs(), w.abs(), None if b is None else b.abs(), **kwargs), w[0].numel())
    same = mine.shape == torchs.shape and bool(((mine - torchs).abs() <= allowed).all())
    return "equal" if same else f"conv2d {tuple(x.shape)} {tuple(w.shape)} {kwargs} {method}"


def try_pool(rng: random.Random) -> str:
    dtype = rng.choice([torch.float32, torch.float64])
    shape = ([rng.randint(0, 3)] if rng.random() < 0.8 else []) + [rng.randint(1, 3), rng.randint(1, 12), rng.randint(1, 12)]
    kernel = number(rng, 0 if rng.random() < 0.05 else 1, 4)
    x = torch.randn(shape, dtype=dtype)
    if rng.random() < 0.5:
        x = x.round()  # many equal values
    if rng.random() < 0.3 and x.numel():
        x.view(-1)[rng.randrange(x.numel())] = rng.choice([float("nan"), float("-inf"), float("inf")])
    kwargs = {"stride": rng.choice([None, number(rng, 1, 3)]), "ceil_mode": rng.random() < 0.5}
    kwargs["padding"] = number(rng, 0, rng.choice([0, 0, 1, 2]))
    if rng.random() < 0.7:
        kwargs |= {"dilation": number(rng, 1, rng.choice([1, 1, 3])), "return_indices": rng.random() < 0.5}
        mine, torchs = outcome(tc.max_pool2d, x, kernel, **kwargs), outcome(F.max_pool2d, x, kernel, **kwargs)
        slack = 0.0
    else:
        kwargs |= {"count_include_pad": rng.random() < 0.5, "divisor_override": rng.choice([None, None, 3, -2])}
        mine, torchs = outcome(tc.avg_pool2d, x, kernel, **kwargs), outcome(F.avg_pool2d, x, kernel, **kwargs)
        slack = 4.0 * 2 * 18 * torch.finfo(dtype).eps  # at most 16 terms of |x| < 6 or so
    if isinstance(torchs, Exception) or isinstance(mine, Exception):
        same = isinstance(mine, InputError) and isinstance(torchs, Exception)
        return "refused" if same else f"pool {tuple(x.shape)} {kernel} {kwargs}: {mine!r} against {torchs!r}"
    for a, b in zip(*[(r if isinstance(r, tuple) else (r,)) for r in (mine, torchs)], strict=True):
        if a.shape != b.shape or not torch.allclose(a, b, rtol=0, atol=slack, equal_nan=True):
            return f"pool {tuple(x.shape)} {kernel} {kwargs}: {x} {a} against {b}"
    return "equal"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    torch.manual_seed(options.seed)
    start = time.perf_counter()
    counts = {"equal": 0, "refused": 0, "disagree": 0}
    warnings.simplefilter("ignore")  # torch: "same" with an even kernel copies its input
    for index in range(options.sets):
        answer = (try_conv if index % 2 else try_pool)(rng)
        counts[answer if answer in counts else "disagree"] += 1
        if answer not in counts:
            print(answer)
    seconds = time.perf_counter() - start
    print(f"{options.sets} argument sets, seed {options.seed}, torch {torch.__version__}, {seconds:.0f} s: {counts}")
    return int(counts["disagree"] > 0)


if __name__ == "__main__":
    sys.exit(main())
