"""From nested inert values to named tensors, bounded in depth and in the number of values."""

from collections.abc import Iterator
from typing import Any

from torchclinic.checkpoints.machine import Call, Global, Pairs
from torchclinic.checkpoints.rebuilding import TensorRef
from torchclinic.errors import CheckpointError

MOST_DEPTH = 64
MOST_VALUES = 250_000
MOST_NAME = 512
_WALKED = (Pairs, Call, list, tuple, TensorRef)  # numbers and texts hold no tensor: no walk through millions of them
# Attributes of a pickled nn.Module whose entries are named as in its state dict.
MODULE_PARTS = ("_parameters", "_buffers", "_modules")


def name_tensors(value: Any) -> tuple[dict[str, TensorRef], list[str]]:
    """Every tensor by its path, joined with dots, and notes on what could not be named.

    Raises:
        CheckpointError: written out, the values are more than `MOST_VALUES` (shared references that multiply).
    """
    tensors: dict[str, TensorRef] = {}
    notes: list[str] = []
    for path, found in _walk(value):
        if isinstance(found, TensorRef):
            name = path or "(the tensor)"
            if name in tensors and tensors[name] != found:
                name = f"{name} ({sum(known.startswith(name) for known in tensors) + 1})"
            tensors[name] = found
        else:
            notes.append(f"{path or 'the value'} {found}")
    return tensors, notes[:10]


def printable(text: str) -> str:
    """At most `MOST_NAME` characters, those that a terminal would obey and lone surrogates as escapes."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else _escape(c) for c in text[: MOST_NAME + 1])
    return text if len(text) <= MOST_NAME else text[:MOST_NAME] + "…"


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 2**16 else f"\\U{code:08x}"


def _walk(root: Any) -> Iterator[tuple[str, Any]]:
    """Tensors by path, depth first in order; and a sentence (a str) wherever the walk does not go on."""
    waiting: list[tuple[str, Any, tuple[int, ...]]] = [("", root, ())]
    values = 0
    while waiting:
        path, value, above = waiting.pop()
        values += 1
        if values > MOST_VALUES:
            raise CheckpointError(f"Written out, the file holds more than {MOST_VALUES:,} values; reading stopped.")
        if isinstance(value, TensorRef):
            yield path, value
        elif isinstance(value, _WALKED):
            if id(value) in above:
                yield path, "refers to itself"
            elif len(above) >= MOST_DEPTH or len(path) > 4 * MOST_NAME:
                yield path, f"is nested deeper than {MOST_DEPTH} levels"
            else:
                inside = _children(path, value)
                waiting += [(name, child, (*above, id(value))) for name, child in inside][::-1]


def _children(path: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Pairs):
        return [(_join(path, _key(key)), child) for key, child in value.items if isinstance(child, _WALKED)]
    if isinstance(value, list | tuple):
        return [(_join(path, str(index)), v) for index, v in enumerate(value) if isinstance(v, _WALKED)]
    inside: list[tuple[str, Any]] = []
    state = value.state
    if isinstance(state, Pairs):
        for key, child in state.items:
            inside.append((path if key in MODULE_PARTS else _join(path, _key(key)), child))
    elif state is not None:
        inside.append((path, state))
    inside += [(_join(path, _key(key)), child) for key, child in value.items]
    inside += [(_join(path, str(index)), child) for index, child in enumerate(value.elements)]
    # The arguments of a foreign call may be tensors too.
    return [*inside, (path, value.arguments)]


def _key(key: Any) -> str:
    if isinstance(key, str):
        return printable(key)
    if isinstance(key, int) and not isinstance(key, bool) and abs(key) < 2**64:
        return str(key)
    return str(key)[:MOST_NAME] if isinstance(key, Global) else f"<{type(key).__name__}>"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
