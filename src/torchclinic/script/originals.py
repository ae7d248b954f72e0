"""Torch's own functions as they were at the start: a script may put others into their places.

A function of torch that finds a mode hands itself to it by its public name, and under that name stands by then what the script
has put there. To call that would run the script's function twice.
"""

import sys
from collections.abc import Callable
from types import CodeType, FrameType, FunctionType
from typing import Any

import torch
import torch.nn.functional
import torch.overrides

_PLACES = (torch, torch.functional, torch.nn.functional, torch.Tensor)
_FUNCTIONS: dict[CodeType, FunctionType] = {
    value.__code__: value for place in _PLACES for value in vars(place).values() if isinstance(value, FunctionType)
}
_HANDLING = torch.overrides.__file__


def original_of(func: Callable[..., Any]) -> Callable[..., Any]:
    """What has called the mode in whose `__torch_function__` this is asked: `func`, unless the script has put that there."""
    if type(func) is not FunctionType or func.__code__ in _FUNCTIONS:
        return func
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename == _HANDLING:
        frame = frame.f_back
    return _FUNCTIONS.get(frame.f_code, func) if frame is not None else func
