"""Errors of elements or samples that operations gave, with what is known of them before they are gone."""

import math
import weakref
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from torchclinic.observe.records import LossCall
from torchclinic.observe.state.dataflow import Node


class Noted(NamedTuple):
    """Classes that were guessed, beside the labels."""

    labels: Tensor
    guess: Tensor
    classes: int


@dataclass(slots=True)
class Difference:
    """A prediction minus a target."""

    node: Node
    prediction_node: Node
    target_node: Node
    target: weakref.ref[Tensor]
    call: LossCall
    sizes: list[Tensor]


@dataclass(slots=True)
class Measured:
    """The error of each element or sample; a loss if it is summed up."""

    function: str
    node: Node
    target_node: Node
    sign: float  # -1: minus it is the error
    numbers: int  # of elements or samples that the mean is taken of
    calls: list[LossCall]
    chance: float = math.nan
    error: Tensor | None = None  # their mean, unless it is known elsewhere
    difference: Difference | None = None
    noted: Noted | None = None  # of a classifier, the guesses; told if it is a plain mean
