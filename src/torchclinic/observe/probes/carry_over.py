"""How much of what a classifier has learnt on rows it has seen carries over to rows it has not, at the same moment."""

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor, nn

from torchclinic.instruments.arguments import apply
from torchclinic.instruments.guard import untouched
from torchclinic.instruments.reference import agreement
from torchclinic.instruments.values import is_plain, tensors_in
from torchclinic.observe.apart import beside
from torchclinic.observe.events import DecisionsCompared, DirectionNoted, EvaluationRuns, LabelsNoted
from torchclinic.observe.probe import Probe
from torchclinic.observe.probes.eval_pass import outputs_of
from torchclinic.observe.records import Agreement, CarryOver, ForwardPass, LabelBatch, LabelStream, LossDirection
from torchclinic.observe.state.kept import KeptBatch
from torchclinic.observe.state.model_track import ModelTrack
from torchclinic.vocabulary import LABEL_LOSSES

MOST_PHASES = 64
LEAST_VALUES = 17  # in the inputs; with fewer they are codes
MOST_VALUES = 4096
LEAST_LOSSES = 20
EARLY = 10  # steps, all of them observed: rows that are new in them have not been learnt from


class CarryOvers(Probe):
    def prepare(self) -> None:
        self._phases: dict[tuple[int, int], CarryOver] = {}  # by model and evaluation
        self._forwards: dict[tuple[int, int], ForwardPass] = {}  # that began them
        self._streams: dict[int, LabelStream] = {}
        self._first: list[LabelBatch] = []  # of rows that were new in the first steps
        self._directions: list[LossDirection] = []

    def labels_noted(self, event: LabelsNoted) -> None:
        self._streams[id(event.stream)] = event.stream
        if event.batch.step < EARLY and event.batch.fresh:
            self._first.append(event.batch)

    def direction_noted(self, event: DirectionNoted) -> None:
        self._directions.append(event.direction)

    def evaluation_runs(self, event: EvaluationRuns) -> None:
        """What does the model make of a batch it was trained on, in the mode it is in?"""
        self.attempt(lambda: self._evaluate(event.model, event.track, event.kept, event.arguments, event.forward))

    def _evaluate(self, model: nn.Module, track: ModelTrack, kept: KeptBatch, args: Any, forward: ForwardPass) -> None:
        key = (track.index, self.state.clock.evaluations)
        inputs, evaluated = _first(kept.args, kept.kwargs), _first(args)
        if kept.target is None or inputs is None or evaluated is None or len(self._phases) >= MOST_PHASES:
            return
        seen = beside(model, [kept.args, kept.kwargs], lambda: _seen(model, kept))
        if seen is not None:
            unlike = _unlike(inputs, evaluated)
            record = CarryOver(type(model).__name__, forward.line, self.state.clock.step, seen, coded=_coded(inputs), unlike=unlike)
            record.early = self._early()
            self._phases[key] = record
            self._forwards[key] = forward

    def decisions_compared(self, event: DecisionsCompared) -> None:
        guess, labels = event.guess, event.labels
        ancestors = {id(other) for other in event.node.ancestors()}
        for forward, nodes, track in self.state.models.outputs.values():
            record = self._phases.get((track.index, self.state.clock.evaluations))
            if record is None or forward.to_train or not nodes or id(nodes[0]) not in ancestors:
                continue
            if nodes[0].shape[:1] == (guess.numel(),):
                part = record.seen if forward.known else record.unseen
                self.state.measurements.add(agreement(guess, labels), part.add)
                return

    def _early(self) -> Agreement:
        """The decisions on new rows in the first training steps."""
        total = Agreement()
        for batch in self._first:
            if rows := sum(batch.counts):
                pairs = sum(n * m for n, m in zip(batch.counts, batch.predicted, strict=True))
                total.add([rows, sum(batch.hits), pairs / rows])
        return total

    def records(self) -> Iterator[object]:
        yield from super().records()
        phases = [record for key, record in self._phases.items() if record.unseen.rows and self._forwards[key].evaluated]
        for record in phases:
            alike = [other.unseen for other in phases if other.model == record.model]
            best = max(unseen.kappa / unseen.error(0.0) for unseen in alike)
            yield replace(record, best=best, evaluations=len(alike), left=self._unexplained(record.step))

    def _unexplained(self, step: int) -> float:
        """The share of the labels' entropy that training up to `step` leaves: its loss, mean over the last quarter, over the
        entropy of the labels seen. NaN unless what is minimized is the plain cross-entropy of one classifier."""
        streams, directions = list(self._streams.values()), self._directions
        losses = [v for s, v in zip(self.state.losses.steps, self.state.losses.values, strict=True) if s < step]
        late = losses[-(len(losses) // 4) :]
        if len(streams) != 1 or len(directions) != 1 or len(late) < LEAST_LOSSES or streams[0].several:
            return math.nan
        pairs = zip(directions[0].errors, directions[0].roots, strict=True)
        if any(batch.weighted for batch in streams[0].batches) or not all(math.isclose(*pair, rel_tol=1e-3) for pair in pairs):
            return math.nan
        counts = [sum(column) for column in zip_longest(*(batch.counts for batch in streams[0].batches), fillvalue=0)]
        shares = [count / sum(counts) for count in counts if count]
        entropy = -sum(share * math.log(share) for share in shares)
        return math.fsum(late) / len(late) / entropy if entropy > 0 else math.nan


def _seen(model: nn.Module, kept: KeptBatch) -> Agreement | None:
    """The agreement on the batch that was kept, in the mode the model is in."""
    assert kept.target is not None
    with untouched(model), torch.no_grad():
        copied_args, copied_kwargs = apply((kept.args, kept.kwargs), torch.clone)
        output = outputs_of(model(*copied_args, **copied_kwargs))[0]
    decided = _decisions(kept.function, output, kept.target)
    return Agreement(*(float(value) for value in agreement(*decided))) if decided is not None else None


def _decisions(function: str, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor] | None:
    if function in LABEL_LOSSES:
        kept = target >= 0
        return output[kept].argmax(1), target[kept]
    if function.startswith("binary") and target.numel() == len(target) and bool(((target == 0) | (target == 1)).all()):
        return (output > (0 if function.endswith("logits") else 0.5)).reshape(-1), target.reshape(-1)
    return None


def _first(*values: Any) -> Tensor | None:
    tensors = [t for t in tensors_in(list(values)) if is_plain(t) and t.numel() > 1]
    return tensors[0] if tensors else None


def _coded(inputs: Tensor) -> bool:
    return not inputs.is_floating_point() or len(inputs.reshape(-1)[:MOST_VALUES].unique()) < LEAST_VALUES


def _unlike(inputs: Tensor, evaluated: Tensor) -> bool:
    """Whether evaluation feeds rows of other shape, or of another scale or offset, than training."""
    if inputs.shape[1:] != evaluated.shape[1:]:
        return True
    a, b = inputs.double(), evaluated.detach().double()
    spread, other = float(a.std()), float(b.std())
    apart = abs(float(a.mean()) - float(b.mean()))
    return not (apart <= 0.5 * spread and 0.5 * spread <= other <= 2 * spread) or not math.isfinite(apart)
