"""What a model is called with: copied for an extra pass, which may write to it, and cut to its first rows."""

import copy
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from torchclinic.errors import InputError
from torchclinic.instruments.values import is_plain, tensors_in


def apply(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A copy of `value` with `change` applied to every tensor in it; modules are not copied.

    Raises:
        InputError: it holds an object that cannot be copied.
    """
    if isinstance(value, Tensor):
        return change(value)
    if type(value) is dict:
        return {key: apply(item, change) for key, item in value.items()}
    if type(value) in (tuple, list):
        return type(value)(apply(item, change) for item in value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(apply(item, change) for item in value))
    if isinstance(value, nn.Module):
        return value
    try:
        return copy.deepcopy(value, {id(tensor): change(tensor) for tensor in tensors_in(value)})
    except (TypeError, RuntimeError, copy.Error) as error:
        raise InputError(
            f"An argument of type {type(value).__name__} cannot be copied ({error}), and an extra pass might change it; "
            "call the model with tensors."
        ) from error


def first_rows(value: Any, rows: int) -> Any:
    return apply(value, lambda tensor: tensor.detach()[:rows])


def copied(value: Any) -> Any:
    """The same numbers in memory of their own; a leaf that requires a gradient gets one of its own."""
    return apply(value, lambda tensor: tensor.detach().clone().requires_grad_(tensor.requires_grad))


def common_rows(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """The first dimension that all tensor arguments share; 0 if they do not."""
    sizes = {tensor.shape[0] if tensor.dim() else 1 for tensor in tensors_in([args, kwargs])}
    plain = all(is_plain(tensor) for tensor in tensors_in([args, kwargs]))
    return sizes.pop() if len(sizes) == 1 and plain else 0
