"""Losses that a script writes in tensor operations: what may become one is measured, and counts if a backward pass
starts from a sum of it.

The operands are often gone by then: `(net(x) - y).pow(2).mean()`. So a few numbers are taken as each operation runs.
"""

import math
import weakref
from collections.abc import Callable
from itertools import islice
from typing import Any

from torch import Tensor

from torchclinic.instruments.values import LIMIT, is_plain
from torchclinic.observe.collector import Collector
from torchclinic.observe.collectors.losses import likelihoods
from torchclinic.observe.collectors.losses.linear_terms import Seen, Term, terms
from torchclinic.observe.collectors.losses.log_losses import both_cases, expected, picked
from torchclinic.observe.collectors.losses.measured_errors import Difference, Measured
from torchclinic.observe.collectors.losses.operands import measured_call
from torchclinic.observe.collectors.losses.overlaps import Overlaps, comparable
from torchclinic.observe.collectors.losses.target_scales import scales
from torchclinic.observe.events import (
    BackwardBegins,
    ChainsForgotten,
    LabelsGuessed,
    LossUnderstood,
    LossWritten,
    OperationCalled,
    TargetsCompared,
)
from torchclinic.observe.state.dataflow import Node
from torchclinic.observe.state.measurements import measure_operand

MOST_WAITING = 64  # operations that may belong to a loss and wait for a backward pass
MOST_CALLS = 100
MOST_ANCESTORS = 5000
_DISTANCE = "distance from the mask, inside and outside alike"


class HandmadeLosses(Collector):
    """Looks at operations with gradients outside of models, on observed steps."""

    def prepare(self) -> None:
        self.overlaps = Overlaps()
        self._written = 0  # losses that were told of
        self._forget()

    def chains_forgotten(self, event: ChainsForgotten) -> None:
        self._forget()

    def _forget(self) -> None:
        self._differences: dict[int, Difference] = {}
        self._measured: dict[int, Measured] = {}
        self._factors: dict[int, tuple[Node, bool, bool]] = {}  # products with data: none is negative, none is zero
        self.overlaps.clear()

    def operation_called(self, event: OperationCalled) -> None:
        result = event.result
        if not (event.grad and result.requires_grad and is_plain(result) and result.is_floating_point()):
            return
        if 0 < result.numel() <= LIMIT and not self.state.models.inside() and not self.state.training.inside_step:
            _HANDLERS[event.name](self, event.node, result, event.args, event.kwargs)
            for waiting in (self._differences, self._measured, self._factors):
                if len(waiting) > MOST_WAITING:
                    del waiting[next(iter(waiting))]

    # -- squares and absolute values of differences -------------------------------------------------------------------

    def _subtracted(self, node: Node, result: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        sides = comparable(args)
        if sides is None or kwargs or not sides[1].is_floating_point():
            return
        prediction, target = sides
        call = measured_call(self.state, "mse_loss", prediction, target)
        leaf = self.state.flow.leaf
        self._differences[id(node)] = Difference(
            node, leaf(prediction), leaf(target), weakref.ref(target), call, scales(prediction, target)
        )

    def _powered(self, node: Node, result: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        exponent = kwargs.get("exponent", args[1] if len(args) > 1 else None)
        if isinstance(exponent, int | float) and exponent == 2 and not node.reflected:
            self._sized("mse_loss", node, result)

    def _squared(self, node: Node, result: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._sized("mse_loss", node, result)

    def _absolute(self, node: Node, result: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._sized("l1_loss", node, result)

    def _sized(self, function: str, node: Node, result: Tensor) -> None:
        made = node.parents[0].producer()
        inner = self._measured.get(id(made))
        difference = inner.difference if inner is not None else self._differences.get(id(made))  # x.abs() ** 2
        if difference is None or (inner is not None and inner.function != "l1_loss"):
            return
        call = difference.call
        call.function = function
        whole = result.numel() == math.prod(difference.node.shape)

        calls, target, error = [call] if whole else [], difference.target_node, result.detach().mean()
        measured = Measured(function, node, target, 1.0, result.numel(), calls, error=error, difference=difference)
        self._measured[id(node)] = measured

    # -- products: a square, a weight, a likelihood, an overlap --------------------------------------------------------

    def _multiplied(self, node: Node, result: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if len(node.parents) == 2 and self._alike(*(parent.producer() for parent in node.parents)):
            self._sized("mse_loss", node, result)
        elif len(node.parents) == 2 and node.parents[0].requires_grad != node.parents[1].requires_grad:
            trained, weight = node.parents if node.parents[0].requires_grad else node.parents[::-1]
            numbers = args[1] if node.parents[0].requires_grad else args[0]
            self._weighted(node, trained, numbers)
            if (sides := comparable(args)) is None:
                return
            if likelihoods.is_log_probability(trained.producer()):
                self._keep(expected(self.state, node, trained, weight, *sides))
            else:
                self.overlaps.multiplied(node, trained, weight, *sides)

    def _alike(self, one: Node, other: Node) -> bool:
        """The same values, as far as it matters for a square."""
        differences = all(id(node) in self._differences for node in (one, other))
        return one is other or (differences and [id(p) for p in one.parents] == [id(p) for p in other.parents])

    def _divided(self, node: Node, result: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if len(node.parents) == 2 and node.parents[0].requires_grad and not node.parents[1].requires_grad:
            self._weighted(node, node.parents[0], args[1])

    def _weighted(self, node: Node, trained: Node, weights: Any) -> None:
        if not is_plain(weights) or not 0 < weights.numel() <= LIMIT:
            return
        weights = weights.detach()
        whole = bool((weights != 0).all())
        measured = self._measured.get(id(trained.producer()))
        if not whole and measured is not None and weights.shape == node.shape == trained.producer().shape:
            whole = self._without(measured, weights)
        self._factors[id(node)] = node, bool((weights >= 0).all()), whole

    def _without(self, measured: Measured, weights: Tensor) -> bool:
        """Measure the targets anew, without those that count for nothing."""
        target = measured.difference.target() if measured.difference is not None else None
        if target is None or target.shape != weights.shape or not bool(weights.any()):
            return False
        for call in measured.calls:
            measure_operand(call.target, target.detach()[weights != 0], self.state.measurements, None)
        return True

    # -- logarithms of probabilities ----------------------------------------------------------------------------------

    def _picked(self, node: Node, result: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        index = likelihoods.picks(node.op, args, kwargs)
        if is_plain(index) and is_plain(args[0]) and likelihoods.is_log_probability(node.parents[0].producer()):
            self._keep(picked(self.state, node, args[0], index))

    def _added(self, node: Node, result: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._keep(both_cases(self.state, node, result))

    def _keep(self, measured: Measured | None) -> None:
        if measured is not None:
            self._measured[id(measured.node)] = measured

    # -- backward ---------------------------------------------------------------------------------------------------

    def backward_begins(self, event: BackwardBegins) -> None:
        understood = LossUnderstood(event.backward, event.root, "", False, None)
        root = event.root
        if root is not None and not root.shape and (self._measured or self.overlaps):
            understood = self._understand(root, understood)
        self.tell(understood)

    def _understand(self, root: Node, understood: LossUnderstood) -> LossUnderstood:
        seen = Seen(
            set(self._measured),
            {key for key, (_, positive, _) in self._factors.items() if positive},
            {key for key, (_, _, nonzero) in self._factors.items() if nonzero},
        )
        found = list(terms(root, seen))
        lines: set[str] = set()
        for term in found:
            measured = self._measured.get(id(term.node))
            if measured is not None and measured.node.line not in lines:
                lines.add(measured.node.line)
                self._confirmed(term, measured)
        if len(found) == 1:
            understood = self._alone(found[0], understood)
        for term in found:
            self._measured.pop(id(term.node), None)
        return understood

    def _confirmed(self, term: Term, measured: Measured) -> None:
        """It is a term of the loss."""
        mean, line, difference = _is_mean(term, measured), measured.node.line, measured.difference
        for call in measured.calls if term.whole and (mean or difference is not None) else ():
            if self._written < MOST_CALLS:
                self._written += 1
                call.options["weighted"] = not term.exact
                self.tell(LossWritten(call))
        if mean and measured.noted is not None:
            self.tell(LabelsGuessed(line, *measured.noted))
        if mean and difference is not None and measured.calls:
            self.tell(TargetsCompared(measured.function, line, 1.0, measured.numbers, difference.sizes))

    def _alone(self, term: Term, understood: LossUnderstood) -> LossUnderstood:
        """The loss is one term: does it rise with an error whose target the training does not touch?"""
        measured = self._measured.get(id(term.node))
        fixed = understood.backward.inputs_reached == 0 and self.state.training.trains_models()
        if measured is not None and self._from_outside(measured.target_node):
            if term.factor * measured.sign > 0:
                understood = understood._replace(error=measured.function, error_mean=_is_mean(term, measured))
            if measured.error is not None and fixed and not _is_given(measured):
                known = measured.function, measured.node, measured.chance, measured.error
                understood = understood._replace(known=known)
        elif measured is None and fixed:
            overlap = self.overlaps.below(term.node)
            if overlap is not None and all(map(self._from_outside, overlap.targets)):
                understood = understood._replace(known=(_DISTANCE, overlap.node, 0.5, overlap.error))
        return understood

    def _from_outside(self, target: Node) -> bool:
        """It is data: no model made it, and nothing that is trained."""
        made = self.state.models.made()
        return not any(node.requires_grad or id(node) in made for node in target.ancestors())


def _is_given(measured: Measured) -> bool:
    """The prediction depends on its target: how far it moves away from where it began may be what is wanted."""
    difference = measured.difference
    if difference is None:
        return False
    target = difference.target_node.producer()
    return any(node is target for node in islice(difference.prediction_node.ancestors(), MOST_ANCESTORS))


def _is_mean(term: Term, measured: Measured) -> bool:
    """The error counts as its plain mean does, wherever it stands in a sum."""
    return term.exact and term.whole and math.isclose(term.factor * measured.numbers, measured.sign, rel_tol=1e-6)


_Handler = Callable[[HandmadeLosses, Node, Tensor, tuple[Any, ...], dict[str, Any]], None]
_HANDLERS: dict[str, _Handler] = {
    "sub": HandmadeLosses._subtracted,
    "pow": HandmadeLosses._powered,
    "square": HandmadeLosses._squared,
    "abs": HandmadeLosses._absolute,
    "mul": HandmadeLosses._multiplied,
    "div": HandmadeLosses._divided,
    "add": HandmadeLosses._added,
    "getitem": HandmadeLosses._picked,
    "gather": HandmadeLosses._picked,
    "take_along_dim": HandmadeLosses._picked,
}
HandmadeLosses.operations = frozenset(_HANDLERS)
