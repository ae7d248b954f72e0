"""Which labels arrive in which order, and what the model makes of them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from torchclinic.instruments.values import is_plain
from torchclinic.observe.collector import Collector
from torchclinic.observe.events import BatchDrawn, LabelsEvaluated, LabelsGuessed, LabelsNoted, LossCalled
from torchclinic.observe.records import EvaluatedLabels, LabelBatch, LabelStream
from torchclinic.vocabulary import LABEL_LOSSES

MOST_CLASSES = 1000
MOST_BATCHES = 600
MOST_ROWS = 4096
MOST_STREAMS = 20


class Drawn(NamedTuple):
    """The labels of a batch that a loader gave; they count if a step follows."""

    batch: LabelBatch
    steps_total: int


class LabelStreams(Collector):
    """Of losses with gradients, on observed steps; and of loaders, between them."""

    def prepare(self) -> None:
        self._streams: dict[str, LabelStream] = {}
        self._loaded: dict[str, LabelStream] = {}  # by the line of the loader
        self._evaluated: dict[str, EvaluatedLabels] = {}  # by line, the latest
        self._drawn: Drawn | None = None

    def loss_called(self, event: LossCalled) -> None:
        name, bound, prediction, target = event.function, event.bound, event.prediction, event.target
        plain = event.training and is_plain(prediction) and is_plain(target) and target.dim() > 0
        if not plain or prediction.shape[:1] != target.shape[:1]:
            return
        if name in LABEL_LOSSES and target.dim() == 1 and prediction.dim() == 2:
            if not target.is_floating_point() and 1 < prediction.shape[1] <= MOST_CLASSES:
                guess = prediction.detach().argmax(1)
                weighted = isinstance(bound.get("weight"), Tensor)
                self._labels(event.line, target, guess, prediction.shape[1], weighted)
        elif name.startswith("binary_cross_entropy") and prediction.numel() == len(target) == target.numel():
            labels = target.detach().reshape(-1)
            if bool(((labels == 0) | (labels == 1)).all()):
                guess = (prediction.detach().reshape(-1) > (0 if name.endswith("logits") else 0.5)).long()
                weighted = isinstance(bound.get("pos_weight"), Tensor) or isinstance(bound.get("weight"), Tensor)
                self._labels(event.line, labels.long(), guess, 2, weighted)

    def labels_evaluated(self, event: LabelsEvaluated) -> None:
        self._evaluated[event.seen.line] = event.seen

    def labels_guessed(self, event: LabelsGuessed) -> None:
        if not event.labels.is_floating_point() and 1 < event.classes <= MOST_CLASSES:
            self._labels(event.line, event.labels, event.guess, event.classes, weighted=False)

    def _labels(self, line: str, target: Tensor, guess: Tensor, classes: int, weighted: bool) -> None:
        stream = self._streams.setdefault(line, LabelStream(line))
        labels, guess = target.detach(), guess[(target >= 0) & (target < classes)]
        labels = labels[(labels >= 0) & (labels < classes)]
        if len(stream.batches) >= MOST_BATCHES or len(self._streams) > MOST_STREAMS or not len(labels):
            return
        step = self.state.clock.step
        several = any(s.batches and s.batches[-1].step == step for s in self._streams.values())
        stream.several = stream.several or several
        batch = LabelBatch(step, line, classes, (), (), (), False, weighted, fresh=self.state.rows.fresh)
        stream.batches.append(batch)
        self._count(batch, labels, guess)
        self.tell(LabelsNoted(stream, batch))

    def _count(self, batch: LabelBatch, labels: Tensor, guess: Tensor) -> None:
        classes = batch.classes
        hits = torch.bincount(labels[labels == guess], minlength=classes)
        counts, predicted = torch.bincount(labels, minlength=classes), torch.bincount(guess, minlength=classes)
        ascending = (labels[1:] >= labels[:-1]).all()

        def receive(values: list[float]) -> None:
            numbers = [int(value) for value in values]
            batch.ascending = bool(numbers[0])
            batch.counts, rest = tuple(numbers[1 : classes + 1]), numbers[classes + 1 :]
            batch.predicted, batch.hits = tuple(rest[:classes]), tuple(rest[classes:])

        self.state.measurements.add(torch.cat([ascending.reshape(1).long(), counts, predicted, hits]), receive)

    # -- between observed steps -------------------------------------------------------------------------------------

    def batch_drawn(self, event: BatchDrawn) -> None:
        """A loader gave a pair whose second part may be labels; they are counted now, before the script changes them."""
        if not event.sampled:
            return
        self._settle()
        labels, clock = _labels_of(event.batch), self.state.clock
        if labels is None or labels.amin() < 0 or labels.amax() >= MOST_CLASSES:
            return
        counts = tuple(torch.bincount(labels).tolist())
        ascending, line = bool((labels[1:] >= labels[:-1]).all()), event.built or event.line
        batch = LabelBatch(clock.step, line, len(counts), counts, (), (), ascending, weighted=False)
        self._drawn = Drawn(batch, clock.steps_total)

    def _settle(self) -> None:
        """What was drawn last counts if an optimizer has stepped since."""
        drawn, self._drawn = self._drawn, None
        if drawn is not None and drawn.steps_total < self.state.clock.steps_total:
            stream = self._loaded.setdefault(drawn.batch.line, LabelStream(drawn.batch.line, loader=True))
            if len(stream.batches) < MOST_BATCHES:
                stream.batches.append(drawn.batch)

    def records(self) -> Iterator[LabelStream]:
        if self._drawn is not None and self._drawn.steps_total < self.state.clock.steps_total:
            self._settle()
        steps, optimizers = self.state.clock.step, self.state.training.stepping()
        evaluations = list(self._evaluated.values())
        for stream in self._streams.values():
            counted = [batch for batch in stream.batches if batch.counts]
            yield replace(stream, batches=counted, steps=steps, optimizers=optimizers, evaluations=evaluations)
        for stream in self._loaded.values():
            classes = max((len(batch.counts) for batch in stream.batches), default=0)
            padded = [replace(b, counts=b.counts + (0,) * (classes - len(b.counts))) for b in stream.batches]
            yield replace(stream, batches=padded, steps=steps, optimizers=optimizers)


def _labels_of(batch: Any) -> Tensor | None:
    if not isinstance(batch, list | tuple) or len(batch) != 2 or not isinstance(labels := batch[1], Tensor):
        return None
    plain = is_plain(labels) and labels.device.type == "cpu" and labels.dtype is torch.int64
    return labels if plain and labels.dim() == 1 and 1 < len(labels) <= MOST_ROWS else None
