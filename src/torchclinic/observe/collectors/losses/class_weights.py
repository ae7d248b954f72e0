"""Losses with class weights: how often each class comes, and what it weighs."""

from typing import Any

import torch
from torch import Tensor

from torchclinic.instruments.values import LIMIT, is_plain
from torchclinic.observe.collector import Collector
from torchclinic.observe.events import LossCalled
from torchclinic.observe.records import WeightedLabels
from torchclinic.vocabulary import LABEL_LOSSES

MOST_CLASSES = 300
MOST_CALLS = 200
MOST_LINES = 20


class ClassWeights(Collector):
    """Looks at losses with gradients, on observed steps."""

    def prepare(self) -> None:
        self.found: dict[str, WeightedLabels] = {}
        self._weights: dict[str, Tensor] = {}

    def loss_called(self, event: LossCalled) -> None:
        if not event.training:
            return
        name, bound, target, line = event.function, event.bound, event.target, event.line
        if not is_plain(target) or not target.numel() or target.numel() > LIMIT:
            return
        weight: Any = bound.get("pos_weight" if name == "binary_cross_entropy_with_logits" else "weight")
        if not is_plain(weight) or not weight.numel() <= MOST_CLASSES:
            return
        if name in LABEL_LOSSES and weight.dim() == 1 and not target.is_floating_point():
            labels = target.detach().reshape(-1)
            labels = labels[(labels >= 0) & (labels < len(weight)) & (labels != bound.get("ignore_index", -100))]
            self._note(name, line, weight, target, torch.bincount(labels, minlength=len(weight)))
        elif name == "binary_cross_entropy_with_logits" and target.dim() and target.is_floating_point():
            columns = weight.numel()
            if columns > 1 and (weight.dim() != 1 or target.shape[-1] != columns):
                return
            labels = target.detach().reshape(-1, columns)
            positives, negatives = (labels == 1).sum(0), (labels == 0).sum(0)
            if bool(((labels == 0) | (labels == 1)).all()):
                self._note(name, line, weight, target, torch.cat([positives, negatives]))

    def _note(self, name: str, line: str, weight: Tensor, target: Tensor, counts: Tensor) -> None:
        facts = self.found.get(line)
        if facts is None and len(self.found) < MOST_LINES:
            weights = tuple(weight.detach().double().reshape(-1).tolist())
            binary = name == "binary_cross_entropy_with_logits"
            share = len(target) * (len(weights) if binary else 1) / target.numel()
            every = weights + (1.0,) * len(weights) if binary else weights
            facts = WeightedLabels(name, line, self.state.clock.step, every, binary, share)
            self.found[line], self._weights[line] = facts, weight.detach().clone()
        if facts is None or len(facts.counts) >= MOST_CALLS:
            return
        known = self._weights[line]
        if facts.changed or known.shape != weight.shape or not torch.equal(known, weight.detach()):
            facts.changed = True
            return
        self.state.measurements.add(counts, lambda values: facts.counts.append(tuple(map(int, values))))
