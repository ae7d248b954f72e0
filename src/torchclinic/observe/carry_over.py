"""How much of what a classifier has learnt on rows it has seen carries over to rows it has not, at the same moment."""

import math
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from torchclinic.instruments.arguments import apply
from torchclinic.instruments.guard import untouched
from torchclinic.instruments.values import is_plain, tensors_in
from torchclinic.observe.probes.eval_pass import outputs_of
from torchclinic.observe.records import Agreement, CarryOver

if TYPE_CHECKING:
    from torchclinic.observe.probes.mode_gap import KeptBatch
    from torchclinic.observe.session import Session
    from torchclinic.observe.state.dataflow import Node
    from torchclinic.observe.state.model_track import ModelTrack

MOST_PHASES = 64
FEWEST_VALUES = 17  # in the inputs; with fewer they are codes
MOST_VALUES = 4096
FEWEST_LOSSES = 20
EARLY = 10  # steps, all of them observed: rows that are new in them have not been learnt from


class CarryOverWatch:
    def __init__(self, session: "Session") -> None:
        self.session = session
        self.phases: dict[tuple[int, int], CarryOver] = {}  # by model and evaluation

    def evaluate(self, model: nn.Module, track: "ModelTrack", kept: "KeptBatch", args: Any, line: str) -> None:
        """An evaluation of `model` begins: what does it make of a batch it was trained on, in the mode it is in?"""
        key = (track.index, self.session.evaluating)
        inputs, evaluated = _first(kept.args, kept.kwargs), _first(args)
        if kept.target is None or inputs is None or evaluated is None or len(self.phases) >= MOST_PHASES:
            return
        with untouched(model), torch.no_grad():
            copied_args, copied_kwargs = apply((kept.args, kept.kwargs), torch.clone)
            output = outputs_of(model(*copied_args, **copied_kwargs))[0]
        decided = _decisions(kept.function, output, kept.target)
        if decided is not None:
            seen = Agreement(*(float(value) for value in agreement(*decided)))
            unlike = _unlike(inputs, evaluated)
            record = CarryOver(type(model).__name__, line, self.session.step, seen, coded=_coded(inputs), unlike=unlike)
            record.early = self._early()
            self.phases[key] = record

    def compared(self, node: "Node", guess: Tensor, labels: Tensor) -> None:
        """Decisions (made from `node`) beside labels, in an evaluation."""
        ancestors = {id(other) for other in node.ancestors()}
        for forward, nodes, track in self.session.modules.outputs.values():
            record = self.phases.get((track.index, self.session.evaluating))
            if record is None or forward.with_grad or not nodes or id(nodes[0]) not in ancestors:
                continue
            if nodes[0].shape[:1] == (guess.numel(),):
                part = record.seen if forward.known else record.unseen
                self.session.measurements.add(agreement(guess, labels), part.add)
                return

    def _early(self) -> Agreement:
        """The decisions on new rows in the first training steps."""
        total = Agreement()
        for stream in self.session.labels.streams.values():
            for batch in stream.batches:
                rows = sum(batch.counts)
                if batch.step < EARLY and batch.fresh:
                    pairs = sum(n * m for n, m in zip(batch.counts, batch.predicted, strict=True))
                    total.add([rows, sum(batch.hits), pairs / rows])
        return total


def unexplained(session: "Session", step: int) -> float:
    """The share of the labels' entropy that training up to `step` leaves: its loss, mean over the last quarter, over the
    entropy of the labels seen. NaN unless what is minimized is the plain cross-entropy of one classifier."""
    streams, directions = list(session.labels.streams.values()), list(session.labels.directions.values())
    losses = [v for s, v in zip(session.backward.steps, session.backward.values, strict=True) if s < step]
    late = losses[-(len(losses) // 4) :]
    if len(streams) != 1 or len(directions) != 1 or len(late) < FEWEST_LOSSES or streams[0].several:
        return math.nan
    pairs = zip(directions[0].errors, directions[0].roots, strict=True)
    if any(batch.weighted for batch in streams[0].batches) or not all(
        math.isclose(*pair, rel_tol=1e-3) for pair in pairs
    ):
        return math.nan
    counts = [sum(column) for column in zip_longest(*(batch.counts for batch in streams[0].batches), fillvalue=0)]
    shares = [count / sum(counts) for count in counts if count]
    entropy = -sum(share * math.log(share) for share in shares)
    return math.fsum(late) / len(late) / entropy if entropy > 0 else math.nan


def agreement(guess: Tensor, labels: Tensor) -> list[Tensor]:
    """Rows, hits, and the hits that a random pairing of the same decisions with the same labels would give."""
    guess, labels = guess.reshape(-1).double(), labels.reshape(-1).double()
    values, places = torch.cat([guess, labels]).unique(return_inverse=True)
    counts = [torch.bincount(part, minlength=len(values)).double() for part in places.split(len(guess))]
    rows = torch.tensor(float(len(guess)), device=guess.device)
    return [rows, (guess == labels).sum(), (counts[0] * counts[1]).sum() / rows]


def _decisions(function: str, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor] | None:
    if function in ("cross_entropy", "nll_loss"):
        kept = target >= 0
        return output[kept].argmax(1), target[kept]
    if function.startswith("binary") and target.numel() == len(target) and bool(((target == 0) | (target == 1)).all()):
        return (output > (0 if function.endswith("logits") else 0.5)).reshape(-1), target.reshape(-1)
    return None


def _first(*values: Any) -> Tensor | None:
    tensors = [t for t in tensors_in(list(values)) if is_plain(t) and t.numel() > 1]
    return tensors[0] if tensors else None


def _coded(inputs: Tensor) -> bool:
    return not inputs.is_floating_point() or len(inputs.reshape(-1)[:MOST_VALUES].unique()) < FEWEST_VALUES


def _unlike(inputs: Tensor, evaluated: Tensor) -> bool:
    """Whether evaluation feeds rows of other shape, or of another scale or offset, than training."""
    if inputs.shape[1:] != evaluated.shape[1:]:
        return True
    a, b = inputs.double(), evaluated.detach().double()
    spread, other = float(a.std()), float(b.std())
    apart = abs(float(a.mean()) - float(b.mean()))
    return not (apart <= 0.5 * spread and 0.5 * spread <= other <= 2 * spread) or not math.isfinite(apart)
