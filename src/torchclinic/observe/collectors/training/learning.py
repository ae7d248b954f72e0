"""What a model makes of its training batches, and the rows and targets that a cheap reference is to be measured on."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from torchclinic.instruments.reference import agreement, ridge_reference, table_reference
from torchclinic.instruments.values import is_plain
from torchclinic.observe.collector import Collector
from torchclinic.observe.events import BackwardEnded, LabelsGuessed, LossCalled, ModelBegins
from torchclinic.observe.records import Agreement, FittedBatch, Learning
from torchclinic.vocabulary import BINARY_LOSSES, LABEL_LOSSES, REGRESSION_LOSSES

MOST_LINES = 8
MOST_BATCHES = 600
MOST_ROWS = 2000
MOST_COLUMNS = 1024
MOST_TARGETS = 64  # numbers that a regression gives for a row
MOST_SYMBOLS = 20_000
MOST_CLASSES = 1000
LEAST_SYMBOLS = 200
KINDS = 512  # of symbols that are told apart in a row; others fall together


class Collected:
    """Rows and what was to come out, of one line."""

    def __init__(self) -> None:
        self.rows: list[Tensor] = []
        self.targets: list[Tensor] = []
        self.tokens = False  # one target for each number of a row
        self.number = 0
        self.reason = "no input was seen that has one row for each target"

    def add(self, rows: Tensor, targets: Tensor, most: int) -> None:
        if self.number < most and (not self.rows or rows.shape[1:] == self.rows[0].shape[1:]):
            self.rows.append(rows[: most - self.number])
            self.targets.append(targets[: most - self.number])
            self.number += len(self.rows[-1])


class LearnedRows(Collector):
    """Looks at losses with gradients, on observed steps."""

    def prepare(self) -> None:
        self.found: dict[str, Learning] = {}
        self._collected: dict[str, Collected] = {}
        self._inputs: list[Tensor] = []  # of the first model that was called since the latest loss
        self._measured: dict[str, tuple[int, Learning]] = {}
        self._step = -1, ""  # of the latest loss, and its line

    def model_begins(self, event: ModelBegins) -> None:
        if event.forward.to_train and not event.forward.recomputed and not self._inputs:
            self._inputs = [tensor for tensor in event.tensors if tensor.dim() and not tensor.requires_grad]

    def loss_called(self, event: LossCalled) -> None:
        name, prediction, target = event.function, event.prediction.detach(), event.target.detach()
        if not event.training or name not in LABEL_LOSSES | BINARY_LOSSES | REGRESSION_LOSSES:
            return
        if not (is_plain(event.prediction) and is_plain(event.target)) or event.target.requires_grad or not target.dim():
            return
        if event.bound.get("reduction", "mean") == "none" or self._mixed(event.prediction, event.target):
            self._inputs = []
            return
        if name in LABEL_LOSSES and not target.is_floating_point():
            self._classes(event.line, name, prediction, target, event.bound.get("ignore_index", -100))
        elif name in BINARY_LOSSES and prediction.shape == target.shape and target.numel() == len(target):
            self._decide(event.line, name, prediction.reshape(-1) > (0 if name.endswith("logits") else 0.5), target, 2)
        elif name in REGRESSION_LOSSES and prediction.shape == target.shape and target.numel() <= MOST_TARGETS * len(target):
            self._regress(event.line, name, prediction, target)

    def backward_ended(self, event: BackwardEnded) -> None:
        self._inputs = []

    def labels_guessed(self, event: LabelsGuessed) -> None:
        if not event.labels.is_floating_point() and event.guess.shape == event.labels.shape and event.labels.dim():
            self._decide(event.line, "", event.guess, event.labels.detach(), event.classes)

    def _mixed(self, prediction: Tensor, target: Tensor) -> bool:
        """Whether a model has made the targets, or the targets enter the prediction, as in a margin or an autoencoder."""
        wanted, given = self.state.flow.node_of(target), self.state.flow.node_of(prediction)
        if wanted is None:
            return False
        entered = {id(node) for node in given.ancestors()} if given is not None else set()
        return id(wanted.producer()) in entered or self.state.models.comes_of(target)

    def _classes(self, line: str, name: str, prediction: Tensor, target: Tensor, ignored: object) -> None:
        """Scores [rows, classes, ...] beside labels [rows, ...]."""
        if (
            prediction.dim() < 2
            or prediction.shape[:1] + prediction.shape[2:] != target.shape
            or prediction.shape[1] > MOST_CLASSES
        ):
            return
        kept = (target >= 0) & (target < prediction.shape[1])
        kept = kept & (target != ignored) if isinstance(ignored, int) else kept
        self._decide(line, name, prediction.argmax(1), target, prediction.shape[1], kept)

    def _decide(self, line: str, name: str, guess: Tensor, labels: Tensor, classes: int, kept: Tensor | None = None) -> None:
        learning = self._learning(line, name, classes)
        if learning is None:
            return
        labels = labels.long() if labels.is_floating_point() else labels
        batch = FittedBatch(self.state.clock.step)
        learning.batches.append(batch)
        counted = (guess.long(), labels) if kept is None else (guess[kept], labels[kept])
        if len(counted[1]):
            self.state.measurements.add(agreement(*counted), batch.agreement.add)
        self._collect(line, labels.reshape(len(labels), -1), classes > 0)

    def _regress(self, line: str, name: str, prediction: Tensor, target: Tensor) -> None:
        learning = self._learning(line, name, 0)
        if learning is None:
            return
        batch = FittedBatch(self.state.clock.step, numbers=target.numel())
        learning.batches.append(batch)

        def receive(values: list[float]) -> None:
            batch.errors, batch.total, batch.squares = values

        wanted = target.double()
        errors = (prediction.double() - wanted).square().sum()
        self.state.measurements.add([errors, wanted.sum(), wanted.square().sum()], receive)
        self._collect(line, target.reshape(len(target), -1), labels=False)

    def _learning(self, line: str, name: str, classes: int) -> Learning | None:
        """The record of a line, with room for another batch; a second line in one step makes all of them several."""
        if len(self.found) >= MOST_LINES and line not in self.found:
            return None
        learning = self.found.setdefault(line, Learning(line, name, classes))
        (step, other), self._step = self._step, (self.state.clock.step, line)
        if step == self._step[0] and other != line:
            learning.several = self.found[other].several = True
        return learning if len(learning.batches) < MOST_BATCHES else None

    def _collect(self, line: str, targets: Tensor, labels: bool) -> None:
        """Keep the rows of the step that have these targets, [rows, targets of each]."""
        collected = self._collected.setdefault(line, Collected())
        inputs, self._inputs = self._inputs, []
        alike = [tensor.detach() for tensor in inputs if len(tensor) == len(targets) and is_plain(tensor) and tensor.numel()]
        symbols = [t for t in inputs[:1] if not t.is_floating_point() and t.numel() == targets.numel() > len(targets)]
        symbols = symbols or [t for t in inputs[:1] if not t.is_floating_point() and t.numel() == targets.numel() > len(t)]
        if labels and symbols:
            collected.tokens = True
            collected.add(symbols[0].detach().reshape(-1).cpu(), targets.reshape(-1).cpu(), MOST_SYMBOLS)
        elif alike and (targets.shape[1] == 1 or not labels):
            rows = torch.cat([columns(tensor, len(alike)) for tensor in alike], dim=1)
            collected.add(rows, targets.cpu(), MOST_ROWS)

    def records(self) -> Iterator[Learning]:
        for line, learning in self.found.items():
            collected = self._collected.get(line, Collected())
            number, measured = self._measured.get(line, (-1, learning))
            if number != collected.number:
                measured = _measure(replace(learning, batches=[]), collected)
                self._measured[line] = collected.number, measured
            yield replace(measured, batches=learning.batches, several=learning.several)


def columns(tensor: Tensor, tensors: int) -> Tensor:
    """A row of at most 1,024 numbers for each row of one of several tensors, copied. Of integers: how often each occurs."""
    rows = tensor.reshape(len(tensor), -1)
    if rows.dtype in (torch.int64, torch.int32):
        ids = rows.long().remainder(KINDS)
        return torch.zeros(len(rows), KINDS, device=rows.device).scatter_add_(1, ids, torch.ones_like(ids).float()).cpu()
    rows = torch.view_as_real(rows).flatten(1) if rows.is_complex() else rows
    stride = -(-rows.shape[1] * tensors // MOST_COLUMNS)
    return rows[:, ::stride].float().cpu().clone()


def _measure(learning: Learning, collected: Collected) -> Learning:
    """The record with what a reference reaches on the rows."""
    if not collected.rows:
        return replace(learning, unreferenced=collected.reason)
    rows, targets = torch.cat(collected.rows), torch.cat(collected.targets)
    if learning.classes:
        kept = ((targets >= 0) & (targets < learning.classes)).reshape(len(targets), -1).all(1)
        rows, targets = rows[kept], targets[kept]
    if len(targets):
        learning = replace(learning, constant=_constant(learning, targets))
    if collected.tokens:
        return _by_table(learning, rows.long(), targets.long())
    return _by_ridge(learning, rows, targets)


def _constant(learning: Learning, targets: Tensor) -> float:
    """The loss of the best answer that does not look at the input, of the mean of the losses whose constant is plain."""
    if learning.classes:
        shares = torch.bincount(targets.reshape(-1).long()).double() / targets.numel()
        return float(torch.special.entr(shares).sum())
    targets = targets.double()
    best = targets.median(0).values if learning.function == "l1_loss" else targets.mean(0)
    return float(getattr(functional, learning.function)(best.expand_as(targets), targets))


def _by_table(learning: Learning, symbols: Tensor, labels: Tensor) -> Learning:
    if len(labels) < LEAST_SYMBOLS:
        return replace(learning, unreferenced="too few symbols")
    reached = Agreement(*map(float, agreement(table_reference(symbols, labels), labels)))
    return replace(
        learning, reference="a table of the most frequent answer to each symbol", reference_rows=len(labels), reached=reached
    )


def _by_ridge(learning: Learning, rows: Tensor, targets: Tensor) -> Learning:
    classes = learning.classes
    wanted = functional.one_hot(targets[:, 0].long(), classes).double() if classes else targets.double()
    found = ridge_reference(rows, wanted)
    if found is None:
        return replace(learning, unreferenced="too few different rows, or numbers that are not finite")
    learning = replace(learning, reference=found.name, reference_rows=len(found.places))
    if classes:
        return replace(learning, reached=Agreement(*map(float, agreement(found.answers.argmax(1), targets[found.places, 0]))))
    wanted = wanted[found.places]
    left = (found.answers - wanted).square().sum() / (wanted - wanted.mean(0)).square().sum().clamp_min(1e-30)
    return replace(learning, explained=float(1 - left))
