"""What a cheap model makes of rows that it has not seen: the yardstick for a network that was trained on the same rows."""

from dataclasses import dataclass

import torch
from torch import Tensor

RIDGE = 0.1  # added to kernels whose diagonal is about 1
LEAST_ROWS = 32


@dataclass(frozen=True, slots=True)
class Reference:
    """Answers of the better of two models, each given by a half of the rows to the other half."""

    name: str
    places: Tensor  # of the rows that were used
    answers: Tensor  # [rows, columns]


def ridge_reference(rows: Tensor, targets: Tensor) -> Reference | None:
    """Two-fold kernel ridge regression, with a linear and with a Gaussian kernel.

    `rows` [rows, features], `targets` [rows, columns]. Equal rows count once. Columns are standardized by the half that is
    fitted; the width of the Gaussian is the median distance. None where fewer than 32 different rows are left, or a number
    is not finite.

    Saunders, Gammerman and Vovk 1998, Ridge regression learning algorithm in dual variables, equation 5.
    """
    places = distinct(rows)
    rows, targets = rows[places].double(), targets[places].double()
    if len(rows) < LEAST_ROWS or not bool(torch.isfinite(rows).all() and torch.isfinite(targets).all()):
        return None
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
    halves = order[: len(rows) // 2], order[len(rows) // 2 :]
    linear, gaussian = torch.zeros_like(targets), torch.zeros_like(targets)
    for fit, ask in (halves, halves[::-1]):
        seen, unseen = _standardized(rows[fit], rows[ask])
        mean = targets[fit].mean(0)
        scale = float(seen.square().sum(1).mean()) or 1.0
        linear[ask] = mean + _ridge(seen @ seen.T / scale, unseen @ seen.T / scale, targets[fit] - mean)
        near, far = torch.cdist(seen, seen).square(), torch.cdist(unseen, seen).square()
        width = 2 * float(near.median()) or 1.0
        gaussian[ask] = mean + _ridge((-near / width).exp(), (-far / width).exp(), targets[fit] - mean)
    errors = [float((answers - targets).square().sum()) for answers in (linear, gaussian)]
    if errors[0] <= errors[1]:
        return Reference("a ridge regression", places, linear)
    return Reference("a ridge regression with a Gaussian kernel", places, gaussian)


def distinct(rows: Tensor) -> Tensor:
    """Places of the first of equal rows, in their order."""
    kinds, kind = rows.unique(dim=0, return_inverse=True)
    first = torch.full((len(kinds),), len(rows)).scatter_reduce(0, kind, torch.arange(len(rows)), "amin")
    return first.sort().values


def _standardized(fit: Tensor, ask: Tensor) -> tuple[Tensor, Tensor]:
    center, spread = fit.mean(0), fit.std(0)
    spread = torch.where(spread > 1e-6 * fit.abs().amax(0), spread, torch.inf)
    return (fit - center) / spread, (ask - center) / spread


def _ridge(kernel: Tensor, unseen: Tensor, targets: Tensor) -> Tensor:
    weights: Tensor = torch.linalg.solve(kernel + RIDGE * torch.eye(len(kernel), dtype=kernel.dtype), targets)
    return unseen @ weights


def table_reference(symbols: Tensor, labels: Tensor) -> Tensor:
    """Two-fold: for each symbol the label that was most frequent with it in the other half, [rows] from [rows] and [rows].

    The halves are the beginning and the end, as of one text. A symbol that the other half does not hold gets its most
    frequent label.
    """
    answers = torch.zeros_like(labels)
    half = len(labels) // 2
    pieces = slice(0, half), slice(half, None)
    width = int(labels.max()) + 1
    for fit, ask in (pieces, pieces[::-1]):
        pairs, counts = (symbols[fit] * width + labels[fit]).unique(return_counts=True)
        best: dict[int, tuple[int, int]] = {}
        for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
            symbol, label = divmod(pair, width)
            best[symbol] = max(best.get(symbol, (0, 0)), (count, label))
        common = int(labels[fit].mode().values)
        answers[ask] = torch.tensor([best.get(symbol, (0, common))[1] for symbol in symbols[ask].tolist()], dtype=labels.dtype)
    return answers


def agreement(guess: Tensor, labels: Tensor) -> list[Tensor]:
    """Rows, hits, and the hits that a random pairing of the same decisions with the same labels would give."""
    guess, labels = guess.reshape(-1).double(), labels.reshape(-1).double()
    values, places = torch.cat([guess, labels]).unique(return_inverse=True)
    counts = [torch.bincount(part, minlength=len(values)).double() for part in places.split(len(guess))]
    rows = torch.tensor(float(len(guess)), device=guess.device)
    return [rows, (guess == labels).sum(), (counts[0] * counts[1]).sum() / rows]
