"""Log-likelihoods written in tensor operations, measured as they are made."""

import math

import torch
from torch import Tensor

from torchclinic.instruments.values import is_plain
from torchclinic.observe.collectors.losses import likelihoods
from torchclinic.observe.collectors.losses.measured_errors import Measured, Noted
from torchclinic.observe.collectors.losses.operands import measured_call
from torchclinic.observe.records import LossCall
from torchclinic.observe.state.dataflow import Node
from torchclinic.observe.state.state import State


def picked(state: State, node: Node, logs: Tensor, index: Tensor) -> Measured | None:
    """One log-probability of each sample; their mean, and what it is beside, is noted with the labels."""
    if logs.dim() != 2 or not math.prod(node.shape) == index.numel() == len(logs):
        return None
    labels, classes = index.detach().reshape(-1).clone(), logs.shape[1]
    call = measured_call(state, "nll_loss", logs, labels)
    guess = logs.detach().argmax(1)

    calls = [call, _of_logits(node.parents[0].producer(), call)]
    noted = Noted(labels, guess, classes)
    return Measured("nll_loss", node, state.flow.leaf(index), -1.0, len(logs), calls, noted=noted)


def expected(state: State, node: Node, trained: Node, weight: Node, logs: Tensor, target: Tensor) -> Measured | None:
    """Log-probabilities times the distribution that they should have."""
    if logs.dim() != 2 or not target.is_floating_point() or not likelihoods.are_distributions(target):
        return None
    logs, target, classes = logs.detach(), target.detach(), logs.shape[1]
    call = _of_logits(trained.producer(), measured_call(state, "cross_entropy", logs, target))
    error = -(logs * target).sum(1).mean()
    measured = Measured("nll_loss", node, weight, -1.0, len(logs), [call], math.log(classes), error)
    if bool(((target == 0) | (target == 1)).all()):
        labels, guess = target.argmax(1), logs.argmax(1)
        measured.noted = Noted(labels, guess, classes)
    return measured


def both_cases(state: State, node: Node, result: Tensor) -> Measured | None:
    """y · log(p) + (1 - y) · log(1 - p)"""
    sides = likelihoods.binary(node)
    target = state.flow.tensor_of(sides[1]) if sides is not None else None
    if sides is None or not is_plain(target) or target.shape != result.shape or not target.is_floating_point():
        return None
    source, leaf, logits = sides
    labels, right = target.detach(), result.detach() > math.log(0.5)
    name = "binary_cross_entropy_with_logits" if logits else "binary_cross_entropy"
    call = measured_call(state, name, result, labels)
    call.prediction = likelihoods.operand_of(source, call.prediction)
    measured = Measured(name, node, leaf, -1.0, result.numel(), [call], math.log(2), -result.detach().mean())
    if result.numel() == len(result) and bool(((labels == 0) | (labels == 1)).all()):
        known = labels.reshape(-1).long()
        guess = torch.where(right.reshape(-1), known, 1 - known)
        measured.noted = Noted(known, guess, 2)
    return measured


def _of_logits(made: Node, call: LossCall) -> LossCall:
    """The same loss as a cross-entropy of the logits."""
    operand = likelihoods.operand_of(likelihoods.logits_of(made), call.prediction)
    facts = call.step, call.line, call.where, True, call.untrained, call.tied
    return LossCall("cross_entropy", *facts, operand, call.target, call.prediction.shape[1])
