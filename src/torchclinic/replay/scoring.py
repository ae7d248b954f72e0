"""How good the predictions of a training are, read from its losses, its comparisons and its evaluations."""

from typing import Any

import torch
from torch import Tensor

from torchclinic.replay.origins import Origins
from torchclinic.replay.scores import LOSSES, Score, Series, loss_arguments, score_call, score_comparison, score_values
from torchclinic.vocabulary import LOG_PROBABILITY_LOSSES


class Scoring:
    def __init__(self, origins: Origins) -> None:
        self._origins = origins
        self._call_score: Score | None = None
        self._difference: tuple[Tensor, Tensor] | None = None
        self._evaluation: dict[str, Score] = {}
        self._passes = 0
        self.evaluated_at = -1  # backward passes before the last evaluation; -1 = there was none

    def close_pass(self, scores: Series) -> None:
        """The loss calls since the last backward pass belong to this one."""
        self._passes += 1
        score = self._call_score
        if score is None and self._difference is not None:
            score = score_call("regression", *self._difference, probabilities=False)
        self._call_score = self._difference = None
        if score is not None and not scores.kind:
            scores.kind = score.kind
        fits = score is not None and score.kind == scores.kind and score.count > 0
        scores.sums.append(score.to_list() if score is not None and fits else None)
        scores.mixed = scores.mixed or (score is not None and score.mixed)

    def loss_called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given, target = loss_arguments(args, kwargs)
        if not isinstance(given, Tensor) or not isinstance(target, Tensor):
            return
        probabilities = name == "binary_cross_entropy" or self._origins.is_probability(given)
        ignored = kwargs.get("ignore_index", -100)
        logarithms = name in LOG_PROBABILITY_LOSSES
        score = score_call(LOSSES[name], given, target, probabilities=probabilities, logarithms=logarithms, ignored=ignored)
        if score is None:
            return
        if not (torch.is_grad_enabled() and given.requires_grad):
            self._evaluated(score)
        elif self._call_score is None:
            self._call_score = score
        elif self._call_score.kind == score.kind:
            self._call_score.add(score)

    def subtracted(self, args: tuple[Any, ...]) -> None:
        """A prediction minus a target, for losses that are written by hand."""
        if len(args) < 2 or not (isinstance(args[0], Tensor) and isinstance(args[1], Tensor)):
            return
        first, second = args[0], args[1]
        if first.requires_grad is not second.requires_grad and first.numel() == second.numel() > 1:
            self._difference = (first, second) if first.requires_grad else (second, first)

    def compared(self, args: tuple[Any, ...], result: Any) -> None:
        """Predictions compared with labels, in an evaluation."""
        several = isinstance(result, Tensor) and result.dtype is torch.bool and result.numel() > 1
        if several and len(args) > 1 and isinstance(args[1], Tensor) and args[0].shape == args[1].shape:
            self._evaluated(score_comparison(result))

    def _evaluated(self, score: Score) -> None:
        if self.evaluated_at != self._passes:  # a new phase of evaluation
            self.evaluated_at = self._passes
            self._evaluation = {}
        known = self._evaluation.setdefault(score.kind, Score(score.kind))
        known.add(score)

    def evaluation(self) -> tuple[str, float | None]:
        """Kind and value of the last evaluation; an empty kind where there was none."""
        if not self._evaluation:
            return "", None
        kind, score = next(iter(self._evaluation.items()))
        return kind, next(iter(score_values(score.kind, [score.to_list()])), None)
