"""Which labels arrive in which order, what the model makes of them, and whether the loss measures an error."""

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from torchclinic.instruments.values import is_plain
from torchclinic.observe.likelihoods import is_log_probability
from torchclinic.observe.records import EvaluatedLabels, LabelBatch, LabelStream, LossDirection, ScoreComparison

if TYPE_CHECKING:
    from torchclinic.observe.session import Session
    from torchclinic.observe.state.dataflow import Node

MOST_CLASSES = 1000
MOST_BATCHES = 600
MOST_ROWS = 4096
MOST_POINTS = 600
LEAST_COMPARED = 20  # decisions in one comparison
_PICKS = {"gather", "getitem", "take_along_dim"}
_ERRORS = {
    "cross_entropy", "nll_loss", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
}  # fmt: skip
_SQUARES = {"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"}
_CASTS = {"long", "int", "bool"}
_DECIDES = {"argmax", "max", "gt", "ge", "lt", "round", "topk", "sign"}


class LabelWatch:
    """Looks at losses with gradients, on observed steps."""

    def __init__(self, session: "Session") -> None:
        self.session = session
        self.streams: dict[str, LabelStream] = {}
        self.loaded: dict[str, LabelStream] = {}  # by the line of the loader
        self.scores: list[ScoreComparison] = []
        self._drawn: tuple[str, Tensor] | None = None
        self.directions: dict[str, LossDirection] = {}
        self.evaluations: dict[str, EvaluatedLabels] = {}  # by line, the latest
        self._open: list[tuple[str, str, float, Node, Tensor]] = []  # measure, line, chance, result, value
        self._known: list[tuple[str, str, float, Node, Tensor]] = []  # the same for a loss written by hand

    def look(self, name: str, bound: dict[str, Any], line: str) -> None:
        """Called before a loss with gradients runs."""
        prediction, target = bound["input"], bound["target"]
        if not (is_plain(prediction) and is_plain(target)) or prediction.shape[:1] != target.shape[:1]:
            return
        if name in ("cross_entropy", "nll_loss") and target.dim() == 1 and prediction.dim() == 2:
            if not target.is_floating_point() and 1 < prediction.shape[1] <= MOST_CLASSES:
                guess = prediction.detach().argmax(1)
                self._labels(line, target, guess, prediction.shape[1], isinstance(bound.get("weight"), Tensor))
        elif name.startswith("binary_cross_entropy") and prediction.numel() == len(target) == target.numel():
            labels = target.detach().reshape(-1)
            if bool(((labels == 0) | (labels == 1)).all()):
                guess = (prediction.detach().reshape(-1) > (0 if name.endswith("logits") else 0.5)).long()
                weighted = isinstance(bound.get("pos_weight"), Tensor) or isinstance(bound.get("weight"), Tensor)
                self._labels(line, labels.long(), guess, 2, weighted)

    def _labels(self, line: str, target: Tensor, guess: Tensor, classes: int, weighted: bool) -> None:
        stream = self.streams.setdefault(line, LabelStream(line))
        labels, guess = target.detach(), guess[(target >= 0) & (target < classes)]
        labels = labels[(labels >= 0) & (labels < classes)]
        if len(stream.batches) >= MOST_BATCHES or len(self.streams) > 20 or not len(labels):
            return
        step = self.session.step
        several = any(s.batches and s.batches[-1].step == step for s in self.streams.values())
        stream.several = stream.several or several
        batch = LabelBatch(step, line, classes, (), (), (), False, weighted, fresh=self.session.held_out.fresh)
        stream.batches.append(batch)
        hits = torch.bincount(labels[labels == guess], minlength=classes)
        counts, predicted = torch.bincount(labels, minlength=classes), torch.bincount(guess, minlength=classes)
        ascending = (labels[1:] >= labels[:-1]).all()

        def receive(values: list[float]) -> None:
            numbers = [int(value) for value in values]
            batch.ascending = bool(numbers[0])
            batch.counts, rest = tuple(numbers[1 : classes + 1]), numbers[classes + 1 :]
            batch.predicted, batch.hits = tuple(rest[:classes]), tuple(rest[classes:])

        self.session.measurements.add(torch.cat([ascending.reshape(1).long(), counts, predicted, hits]), receive)

    def note(self, line: str, labels: Tensor, guess: Tensor, classes: int) -> None:
        """A loss that is written by hand compared this guess of a class with the label."""
        if not labels.is_floating_point() and 1 < classes <= MOST_CLASSES:
            self._labels(line, labels, guess, classes, weighted=False)

    # -- between observed steps -------------------------------------------------------------------------------------

    def drawn(self, batch: Any, line: str) -> None:
        """A loader gave a pair whose second part may be labels; they count if a step follows."""
        self._drawn = None
        if isinstance(batch, list | tuple) and len(batch) == 2 and isinstance(labels := batch[1], Tensor):
            plain = is_plain(labels) and labels.device.type == "cpu" and labels.dtype is torch.int64
            if plain and labels.dim() == 1 and 1 < len(labels) <= MOST_ROWS:
                self._drawn = line, labels

    def waits(self) -> bool:
        """Whether labels were drawn since the last step."""
        return self._drawn is not None

    def stepped(self) -> None:
        """An optimizer has stepped with the labels that were drawn."""
        assert self._drawn is not None
        (line, labels), self._drawn = self._drawn, None
        stream = self.loaded.setdefault(line, LabelStream(line, loader=True))
        low, high = labels.aminmax()
        if low < 0 or high >= MOST_CLASSES or len(stream.batches) >= MOST_BATCHES:
            return
        counts = tuple(torch.bincount(labels).tolist())
        ascending = bool((labels[1:] >= labels[:-1]).all())
        stream.batches.append(
            LabelBatch(self.session.step, line, len(counts), counts, (), (), ascending, weighted=False)
        )

    # -- direction --------------------------------------------------------------------------------------------------

    def measured(self, name: str, line: str, shape: tuple[int, ...], result: Tensor) -> None:
        """A loss with gradients gave this result."""
        if name in _ERRORS and result.dim() == 0 and result.requires_grad:
            classes = shape[1] if name in ("cross_entropy", "nll_loss") and len(shape) > 1 else 2
            chance = math.log(classes) if name not in _SQUARES else math.nan
            self._note(name, line, chance, result, result)

    def made(self, name: str, node: "Node", result: Tensor, args: tuple[Any, ...]) -> None:
        """An operation picked one log-probability of each sample: minus their mean is the error."""
        if name in _PICKS and result.requires_grad and node.parents:
            made = node.parents[0].producer()
            if is_log_probability(made) and len(made.shape) == 2 and result.numel() == made.shape[0] > 1:
                self._note("negative log-likelihood", node.line, math.log(made.shape[1]), result, -result.mean())
        elif name in ("eq", "ne") and not self.session.modules.stack and len(args) == 2:
            self._scores(node, *args)
        if name == "eq" and self.session.evaluating and not self.session.modules.stack and len(args) == 2:
            self._compare(node, *args)

    def _scores(self, node: "Node", left: Any, right: Any) -> None:
        """Numbers beside labels."""
        if not (is_plain(left) and is_plain(right)) or left.shape != right.shape or left.numel() < LEAST_COMPARED:
            return
        if left.is_floating_point() == right.is_floating_point() or torch.bool in (left.dtype, right.dtype):
            return
        numbers, labels, place = (left, right, 0) if left.is_floating_point() else (right, left, 1)
        made = node.parents[place].producer().op if len(node.parents) == 2 else ""
        if len(self.scores) < MOST_POINTS:
            seen = ScoreComparison(node.line, self.session.step, made, labels.numel())
            self.scores.append(seen)

            def receive(values: list[float]) -> None:
                seen.between, seen.equal = map(int, values)

            numbers = numbers.detach()
            self.session.measurements.add([(numbers != numbers.round()).sum(), (numbers == labels).sum()], receive)

    def _compare(self, node: "Node", left: Any, right: Any) -> None:
        """Decisions beside labels, outside a loss: the evaluation."""
        if not (is_plain(left) and is_plain(right)) or left.shape != right.shape or left.numel() < LEAST_COMPARED:
            return
        decided = [_decides(other) for other in node.parents[:2]]
        if sum(decided) != 1 or (len(self.evaluations) >= 20 and node.line not in self.evaluations):
            return
        guess, labels = (left, right) if decided[0] else (right, left)
        self.session.probing.carry_over.compared(node, guess, labels)
        seen = EvaluatedLabels(node.line, self.session.step, labels.numel())
        guess, labels = guess.detach().reshape(-1).double(), labels.detach().reshape(-1).double()
        common = labels.mode().values
        rare, said = labels != common, guess != common
        numbers = [common, rare.sum(), said.sum(), (rare & (guess == labels)).sum()]

        def receive(values: list[float]) -> None:
            seen.common, seen.rare, seen.said, seen.found = map(int, values)
            self.evaluations[node.line] = seen

        self.session.measurements.add(numbers, receive)

    def _note(self, measure: str, line: str, chance: float, made: Tensor, value: Tensor) -> None:
        node = self.session.flow.node_of(made)
        if node is not None:
            self._open = [*self._open[-8:], (measure, line, chance, node, value.detach())]

    def known(self, measure: str, node: "Node", chance: float, error: Tensor) -> None:
        """The backward pass that begins starts from nothing but this error."""
        self._known = [(measure, node.line, chance, node, error)]

    def backward(self, root: "Node | None", value: float, line: str) -> None:
        """A backward pass starts from `root`: note the one measure of error it depends on."""
        opened, self._open = self._open, []
        known, self._known = self._known, []
        if root is None or not (opened or known) or not math.isfinite(value):
            return
        ancestors = {id(node) for node in root.ancestors()}
        used = [entry for entry in opened if id(entry[3]) in ancestors] or known
        if len(used) != 1:
            return
        measure, where, chance, _, number = used[0]
        step = self.session.step
        direction = self.directions.setdefault(where, LossDirection(measure, where, line, [], [], [], chance))

        def receive(values: list[float]) -> None:
            direction.steps.append(step)
            direction.errors.append(values[0])
            direction.roots.append(value)

        if len(direction.steps) < MOST_POINTS and len(self.directions) < 20:
            self.session.measurements.add([number], receive)


def _decides(node: "Node") -> bool:
    """Whether the values are decisions, as made or as cast to integers."""
    made = node.producer()
    while made.op in _CASTS and made.parents:
        made = made.parents[0].producer()
    return made.op in _DECIDES
