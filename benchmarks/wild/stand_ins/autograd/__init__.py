"""Derivatives by central differences, of functions of a few numbers."""

from collections.abc import Callable
from typing import Any

import numpy

STEP = 1e-6


def grad(function: Callable[..., Any]) -> Callable[..., Any]:
    """The derivative by the first argument."""

    def derivative(x: Any, *rest: Any) -> Any:
        x = numpy.asarray(x, float)
        out = numpy.zeros_like(x)
        for place in numpy.ndindex(x.shape):
            moved = numpy.zeros_like(x)
            moved[place] = STEP
            difference = function(x + moved, *rest) - function(x - moved, *rest)
            out[place] = float(numpy.sum(difference)) / (2 * STEP)
        return out

    return derivative
