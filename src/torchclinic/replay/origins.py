"""Where values came from: the input of the softmax, sigmoid, tanh or ReLU that made a tensor, also through reshapes."""

from typing import Any

from torch import Tensor

from torchclinic.vocabulary import PROBABILITIES, VIEWS

SQUASHING = PROBABILITIES | {"tanh", "relu", "relu6", "softplus", "hardtanh", "hardsigmoid", "leaky_relu"}
RESHAPING = VIEWS | frozenset(
    "flatten squeeze unsqueeze transpose permute getitem unflatten float contiguous select T clone".split()
)
WATCHED = SQUASHING | RESHAPING


class Origins:
    """Holds the tensors of one iteration; `forget` lets go of them."""

    def __init__(self) -> None:
        self._sources: dict[int, tuple[Tensor, Tensor, bool]] = {}  # of a result: itself, the source, is a probability

    def note(self, name: str, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        given = args[0] if args else kwargs.get("input")
        if not isinstance(result, Tensor) or not isinstance(given, Tensor) or result is given:
            return
        known = self._sources.get(id(given))
        if name in SQUASHING:
            self._sources[id(result)] = result, given, name in PROBABILITIES
        elif known is not None:
            source = function(known[1], *args[1:], **{key: v for key, v in kwargs.items() if key != "input"})
            self._sources[id(result)] = result, source, known[2]

    def source(self, tensor: Any) -> Tensor | None:
        known = self._sources.get(id(tensor))
        return known[1] if known is not None else None

    def is_probability(self, tensor: Tensor) -> bool:
        known = self._sources.get(id(tensor))
        return known is not None and known[2]

    def forget(self) -> None:
        self._sources.clear()
