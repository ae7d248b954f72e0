"""Which arguments of a loss function are its prediction and its target."""

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

from torch import Tensor

from torchclinic.observe.events import LossCalled
from torchclinic.script.lines import user_line


def called_loss(
    name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], grad: bool
) -> LossCalled | None:
    """What is told of a loss that is about to be called; None if its operands are not tensors."""
    bound = bind(func, args, kwargs)
    prediction, target = bound.get("input"), bound.get("target")
    if not isinstance(prediction, Tensor) or not isinstance(target, Tensor):
        return None
    training = grad and (prediction.requires_grad or target.requires_grad)
    return LossCalled(name, prediction, target, bound, user_line(), training)


@cache
def _signature(func: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(func)
    except ValueError:
        return None


def bind(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments of a loss by name, with defaults; `reduction` is what is really done."""
    signature = _signature(func)
    if signature is None:
        return dict(zip(("input", "target"), args, strict=False)) | kwargs
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        return {}
    bound.apply_defaults()
    return bound.arguments | _legacy(**{key: bound.arguments.get(key) for key in ("size_average", "reduce")})


def _legacy(size_average: bool | None, reduce: bool | None) -> dict[str, str]:
    """The reduction that the older arguments stand for, which go before `reduction`; empty where neither was given."""
    if size_average is None and reduce is None:
        return {}
    return {"reduction": "none" if reduce is False else "sum" if size_average is False else "mean"}
