"""Agreement with torch on random layouts: view, broadcasting, aliasing, overlap within a tensor.

    python benchmarks/layouts.py --layouts 100000

Layouts are built as users build them: permute, slices with a step, expand, unfold, as_strided, squeeze, diagonal, ...
torch itself is the judge of views and broadcasts; sets of byte addresses, listed one by one, judge the overlaps.
`tests/tensors/test_layouts.py` runs the same checks on fewer layouts, with hypothesis choosing the numbers.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter

import torch

import torchclinic as tc
from torchclinic.errors import InputError
from torchclinic.tensors.layout import Layout

DTYPES = (torch.uint8, torch.int16, torch.float32, torch.float64)


def random_base(rng: random.Random) -> torch.Tensor:
    shape = [rng.choice((1, 1, 2, 2, 3, 3, 4, 5, 6, 8)) for _ in range(rng.choice((0, 1, 2, 2, 3, 3, 4, 4, 5)))]
    if shape and rng.random() < 0.03:
        shape[rng.randrange(len(shape))] = 0
    while torch.Size(shape).numel() > 600:
        shape[rng.randrange(len(shape))] = 2
    return torch.empty(shape, dtype=rng.choice(DTYPES))


def permute(x, rng):
    return x.permute(rng.sample(range(x.ndim), x.ndim))


def cut(x, rng):
    dim = rng.randrange(x.ndim)
    start = rng.randint(0, x.shape[dim])
    index = [slice(None)] * x.ndim
    index[dim] = slice(start, rng.randint(start, x.shape[dim]), rng.randint(1, 3))
    return x[tuple(index)] if rng.random() < 0.1 or x[tuple(index)].numel() else x


def expand(x, rng):
    shape = [rng.randint(2, 4) if n == 1 and rng.random() < 0.7 else n for n in x.shape]
    return x.expand([rng.randint(1, 3), *shape] if rng.random() < 0.3 else shape)


def unfold(x, rng):
    dim = rng.randrange(x.ndim)
    return x.unfold(dim, rng.randint(1, max(1, x.shape[dim])), rng.randint(1, 3)) if x.shape[dim] else x


def restride(x, rng):
    room = x.untyped_storage().nbytes() // x.element_size()
    shape = [rng.randint(1, 4) for _ in range(rng.randint(0, 5))]
    stride = [rng.choice((0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 15, 21)) for _ in shape]
    offset = rng.randint(0, 3)
    span = 1 + offset + sum((n - 1) * s for n, s in zip(shape, stride, strict=True))
    return x.as_strided(shape, stride, offset) if span <= room else x


def squeeze(x, rng):
    return x.squeeze() if rng.random() < 0.5 else x.unsqueeze(rng.randint(0, x.ndim))


def diagonal(x, rng):
    if x.ndim < 2:
        return x
    first, second = rng.sample(range(x.ndim), 2)
    return x.diagonal(rng.randint(-1, 1), first, second)


def select(x, rng):
    dim = rng.randrange(x.ndim)
    return x.select(dim, rng.randrange(x.shape[dim])) if x.shape[dim] else x


def split(x, rng):
    dim = rng.randrange(x.ndim)
    sizes = [n for n in range(2, x.shape[dim]) if x.shape[dim] % n == 0]
    return x.unflatten(dim, (-1, rng.choice(sizes))) if sizes else x


STEPS = (permute, permute, permute, cut, cut, expand, unfold, restride, squeeze, diagonal, select, split)


def random_view(x: torch.Tensor, rng: random.Random) -> torch.Tensor:
    """A tensor over the memory of `x`, made by up to four view operations."""
    for _ in range(rng.randint(0, 5)):
        if x.ndim:
            y = rng.choice(STEPS)(x, rng)
            x = y if y.ndim <= 7 and y.numel() <= 5000 else x
    return x


def random_target(x: torch.Tensor, rng: random.Random) -> list[int]:
    """A shape with the elements of `x`, mostly near its own; sometimes one that cannot be."""
    shape = list(x.shape)
    for _ in range(rng.randint(1, 5)):
        action = rng.random()
        if action < 0.5 and len(shape) > 1:
            place = rng.randrange(len(shape) - 1)
            shape[place : place + 2] = [shape[place] * shape[place + 1]]
        elif action < 0.8 and shape:
            place = rng.randrange(len(shape))
            factors = [n for n in range(1, shape[place] + 1) if shape[place] % n == 0] or [1]
            factor = rng.choice(factors)
            shape[place : place + 1] = [shape[place] // factor, factor]
        elif action < 0.9:
            shape.insert(rng.randint(0, len(shape)), 1)
        else:
            rng.shuffle(shape)
    if shape and rng.random() < 0.3:
        shape[rng.randrange(len(shape))] = -1
    if rng.random() < 0.05:
        shape.append(rng.choice((-2, -1, 0, 2, 3)))
    return shape


class DisagreementError(AssertionError):
    pass


def agree(holds: bool, *case: object) -> None:
    if not holds:
        raise DisagreementError(case)


def check_view(rng: random.Random) -> str:
    """`explain_view` against `Tensor.view`: possible, refused or invalid alike, and the same strides."""
    x = random_view(random_base(rng), rng)
    target = random_target(x, rng)
    case = (x.shape, x.stride(), target)
    try:
        explained = tc.explain_view(x, *target)
    except InputError:
        explained = None
    try:
        truth, refusal = x.view(target), ""
    except RuntimeError as error:
        truth, refusal = None, str(error)
    if explained is None:
        agree(truth is None and "not compatible" not in refusal, *case, refusal)
        return "invalid shape"
    if truth is not None:
        agree(explained.strides == truth.stride(), *case, explained.strides, truth.stride())
        agree(explained.possible and not explained.blocking and explained.copied_bytes == 0, *case)
        return "view"
    copied = x.reshape(target)
    agree("not compatible" in refusal and not explained.possible and bool(explained.blocking), *case, refusal)
    agree(explained.copied_bytes == copied.nbytes and explained.shape == tuple(copied.shape), *case)
    for fix in explained.fixes:
        result = eval(fix.code, {"x": x})
        agree((result.untyped_storage()._cdata == x.untyped_storage()._cdata) == fix.shares_memory, *case, fix.code)
    return "not a view"


def check_broadcast(rng: random.Random) -> str:
    """`explain_broadcast` against `torch.broadcast_tensors`: the shape, the conflict, and what gets stride 0."""
    full = [rng.choice((1, 2, 3, 4, 0)) if rng.random() < 0.9 else 5 for _ in range(rng.randint(0, 4))]
    operands = []
    for _ in range(rng.randint(1, 4)):
        shape = [1 if rng.random() < 0.3 else n for n in full[rng.randint(0, len(full)) :]]
        if shape and rng.random() < 0.1:
            shape[rng.randrange(len(shape))] = rng.choice((0, 2, 3, 7))
        operands.append(torch.empty(shape))
    explained = tc.explain_broadcast(*operands)
    case = [operand.shape for operand in operands]
    try:
        truth = torch.broadcast_tensors(*operands)
    except RuntimeError:
        agree(explained.shape is None and explained.conflict is not None, case)
        return "conflict"
    agree(explained.shape == tuple(truth[0].shape), case)
    agree(explained.materialized_bytes == truth[0].nbytes, case)
    for wide, dims in zip(truth, explained.stretched, strict=True):
        agree(wide.numel() == 0 or Layout.of(wide).expanded_dims == dims, case)
    return "broadcast"


def byte_set(x: torch.Tensor) -> set[int]:
    places = [x.storage_offset() * x.element_size()]
    for size, step in zip(x.shape, x.stride(), strict=True):
        places = [place + i * step * x.element_size() for place in places for i in range(size)]
    return {place + byte for place in places for byte in range(x.element_size())}


def check_aliasing(rng: random.Random) -> str:
    """`aliasing` against sets of byte addresses."""
    base = random_base(rng)
    a, b = random_view(base, rng), random_view(base, rng)
    if rng.random() < 0.3 and b.dtype != torch.uint8 and b.ndim and b.stride(-1) == 1:
        b = b.view(torch.uint8)
    if rng.random() < 0.05:
        b = b.clone()
        truth = "none" if min(a.untyped_storage().nbytes(), b.untyped_storage().nbytes()) else "any"
    else:
        truth = "overlapping" if byte_set(a) & byte_set(b) else "disjoint"
        truth = truth if base.numel() else "any"  # an empty storage has no address to compare
    answer = tc.aliasing(a, b)
    agree(truth in ("any", answer) or answer == "unknown", a.shape, a.stride(), b.shape, b.stride(), truth, answer)
    return str(answer)


def check_overlap(rng: random.Random) -> str:
    """Overlap within one tensor, and the number of different addresses, against the listed addresses."""
    x = random_view(random_base(rng), rng)
    layout = Layout.of(x)
    different = len(byte_set(x)) // x.element_size()
    agree(layout.overlapping in (different < x.numel(), None), x.shape, x.stride(), layout.overlapping)
    agree(layout.distinct in (different, None), x.shape, x.stride(), layout.distinct)
    agree(layout.contiguous == x.is_contiguous(), x.shape, x.stride())
    agree(layout.dense == (different == x.numel() == layout.span), x.shape, x.stride(), layout.dense)
    return "unknown" if layout.overlapping is None else "overlapping" if layout.overlapping else "no overlap"


CHECKS = {"view": check_view, "broadcast": check_broadcast, "aliasing": check_aliasing, "overlap": check_overlap}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layouts", type=int, default=100_000, help="random layouts per check")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    result = {"torch": torch.__version__, "layouts": arguments.layouts, "seed": arguments.seed}
    for name, check in CHECKS.items():
        rng = random.Random(arguments.seed)
        start = time.perf_counter()
        answers: Counter[str] = Counter()
        disagreements = 0
        for _ in range(arguments.layouts):
            try:
                answers[check(rng)] += 1
            except DisagreementError as error:
                disagreements += 1
                print(f"{name}: {error}", file=sys.stderr)
        seconds = round(time.perf_counter() - start, 1)
        result[name] = {"disagreements": disagreements, "answers": dict(answers), "seconds": seconds}
    print(json.dumps(result, indent=2))
    sys.exit(any(result[name]["disagreements"] for name in CHECKS))


if __name__ == "__main__":
    main()
