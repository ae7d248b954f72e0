"""A score that a change of the loss cannot move by redefinition: how good the predictions at the loss calls are.

1 is perfect, 0 as good as guessing, and no score is below −1. Classes and yes or no: the Brier skill, 1 − B / B₀, where B is
the squared distance of the predicted probabilities from the truth and B₀ that of equal probabilities. Probabilities are
what the outputs mean: themselves where they come from a softmax or sigmoid, else their softmax or sigmoid. Numbers:
1 − MSE / Var(target), prediction and target in one shape. Labels compared with `==` in an evaluation: the share of equals.

Reference: Brier 1950, Monthly Weather Review 78:1, eq. 2.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

LOSSES = {
    "cross_entropy": "class",
    "nll_loss": "class",
    "kl_div": "class",
    "multi_margin_loss": "class",
    "binary_cross_entropy": "binary",
    "binary_cross_entropy_with_logits": "binary",
    "mse_loss": "regression",
    "l1_loss": "regression",
    "smooth_l1_loss": "regression",
    "huber_loss": "regression",
}
WORST = -1.0
KINDS = {
    "class": "Brier skill",
    "binary": "Brier skill",
    "regression": "1 − MSE / Var(target)",
    "comparison": "share of right answers",
}


@dataclass(slots=True)
class Score:
    """Sums over the values of one or several loss calls."""

    kind: str
    error: float = 0.0  # sum of the squared errors; of classes relative to guessing, of comparisons the wrong ones
    count: int = 0
    total: float = 0.0  # of the targets
    squares: float = 0.0
    mixed: bool = False  # not all targets are the same

    def add(self, other: "Score") -> None:
        self.error += other.error
        self.count += other.count
        self.total += other.total
        self.squares += other.squares
        self.mixed = self.mixed or other.mixed

    def to_list(self) -> list[float]:
        return [self.error, self.count, self.total, self.squares]


@dataclass(slots=True)
class Series:
    """The scores of a training, one entry per backward pass; of the kind that came first."""

    kind: str = ""
    sums: list[list[float] | None] = field(default_factory=list)
    mixed: bool = False

    def values(self, length: int) -> list[float]:
        return score_values(self.kind, [entry for entry in self.sums[:length] if entry is not None])


def score_values(kind: str, sums: Sequence[Sequence[float]]) -> list[float]:
    """One score per entry; the variance of numbers is that of all targets together."""
    variance = 1.0
    if kind == "regression":
        count = sum(entry[1] for entry in sums)
        mean = sum(entry[2] for entry in sums) / max(count, 1)
        variance = sum(entry[3] for entry in sums) / max(count, 1) - mean * mean
        if not variance > 0:
            return []
    values = [1 - error / count / variance for error, count, _, _ in sums]
    return [max(value, WORST) if math.isfinite(value) else WORST for value in values]


def loss_arguments(args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    """Input and target of a call of a loss function."""
    given = args[0] if args else kwargs.get("input")
    target = args[1] if len(args) > 1 else kwargs.get("target")
    return given, target


@torch.no_grad()
def score_call(
    kind: str, given: Tensor, target: Tensor, *, probabilities: bool = False, logarithms: bool = False, ignored: int = -100
) -> Score | None:
    """None where the shapes do not tell what belongs to what. `logarithms`: of probabilities, as `nll_loss` expects."""
    given, target = given.detach(), target.detach()
    if kind == "class":
        return _score_classes(given, target, probabilities, logarithms, ignored)
    if given.numel() != target.numel() or target.numel() == 0:
        return None
    given, target = given.reshape(-1).double(), target.reshape(-1).double()
    mixed = bool((target != target[0]).any())
    if kind == "binary":
        chances = given if probabilities else given.sigmoid()
        return Score(kind, _total(4 * (chances - target).square()), len(target), mixed=mixed)  # B₀ = 1/4
    error = float((given - target).square().sum())
    return Score(kind, error, len(target), float(target.sum()), float(target.square().sum()), mixed)


def _score_classes(given: Tensor, target: Tensor, probabilities: bool, logarithms: bool, ignored: int) -> Score | None:
    dim = 1 if given.dim() > 1 else 0
    if given.dim() == 0 or given.shape[dim] < 2 or not given.is_floating_point():
        return None
    given = given.double()
    chances = given if probabilities or are_distributions(given) else given.softmax(dim)
    if logarithms and are_distributions(given.exp()):
        chances = given.exp()
    guessing = 1 - 1 / given.shape[dim]
    if target.is_floating_point():
        truth = target.double().exp() if not bool((target >= 0).all()) else target.double()
        if truth.shape != given.shape:
            return None
        errors, best = (chances - truth).square().sum(dim), truth.argmax(dim).flatten()
        return Score("class", _total(errors / guessing), errors.numel(), mixed=bool((best != best[0]).any()))
    valid = target != ignored
    if target.shape != given.select(dim, 0).shape or not bool(valid.any()):
        return None
    chosen = target.where(valid, 0)
    if bool((chosen < 0).any()) or bool((chosen >= given.shape[dim]).any()):
        return None
    right = chances.gather(dim, chosen.unsqueeze(dim)).squeeze(dim)
    errors = (chances.square().sum(dim) - 2 * right + 1)[valid]
    known = target[valid]
    return Score("class", _total(errors / guessing), known.numel(), mixed=bool((known != known[0]).any()))


def _total(errors: Tensor) -> float:
    """An output that is not finite is as wrong as the worst score."""
    return float(errors.nan_to_num(1 - WORST, 1 - WORST).sum())


def are_distributions(tensor: Tensor) -> bool:
    """Along dimension 1 (of a vector, 0) the values are not negative and sum to 1."""
    dim = 1 if tensor.dim() > 1 else 0
    if not tensor.is_floating_point() or tensor.shape[dim] < 2:
        return False
    return bool((tensor >= 0).all()) and bool(((tensor.sum(dim) - 1).abs() < 1e-3).all())


@torch.no_grad()
def score_comparison(result: Tensor) -> Score:
    """Predictions compared with labels by `==`."""
    return Score("comparison", float((~result).sum()), result.numel(), mixed=True)
