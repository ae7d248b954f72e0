"""What is kept of one parameter and of one optimizer, and the questions asked of their tensors."""

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from torchclinic.instruments.values import is_plain, norms
from torchclinic.script.lines import user_line

PATTERN_CAP = 600


class ParameterTrack:
    __slots__ = (
        "all_zero",
        "backwards",
        "born",
        "constant",
        "consumed",
        "cut",
        "cut_line",
        "first",
        "gradient_rows_equal",
        "gradient_zero",
        "input_like",
        "is_parameter",
        "key",
        "left",
        "line",
        "loaded",
        "made",
        "name",
        "overwritten",
        "owners",
        "reached",
        "reached_steps",
        "ref",
        "requires_grad",
        "rows_equal",
        "shape",
        "stale",
        "stayed_zero",
        "unchanged",
        "user_name",
    )

    def __init__(self, tensor: Tensor, step: int) -> None:
        self.ref = weakref.ref(tensor)
        self.key = id(tensor)
        self.requires_grad = tensor.requires_grad
        self.unchanged = True  # bitwise, since it was first seen
        self.shape = tuple(tensor.shape)
        self.is_parameter = isinstance(tensor, nn.Parameter)
        self.name = ""
        self.cut = self.cut_line = ""
        self.user_name = ""
        self.line = ""
        self.made = ""  # the line that gave it its first values
        self.overwritten = False  # after `torch.nn.init`, before it was first seen
        self.born = step
        self.owners: set[int] = set()
        self.backwards = 0
        self.reached = 0
        self.reached_steps: set[int] = set()
        self.consumed = False  # a step has used the gradient that is there now
        self.stale = False  # ... and a backward has added to it since
        self.left = False  # the last backward left a non-zero gradient
        self.loaded = False
        self.input_like = False
        self.rows_equal = self.gradient_rows_equal = self.constant = False
        self.all_zero = self.stayed_zero = False
        self.gradient_zero = True
        self.first: Tensor | None = None


class OptimizerTrack:
    def __init__(self, optimizer: torch.optim.Optimizer, index: int) -> None:
        self.ref = weakref.ref(optimizer)
        self.index = index
        self.name = type(optimizer).__name__
        self.line = user_line()
        self.steps = 0
        self.backwards = 0  # since the previous step
        self.backwards_uncleared = 0  # since the previous clear or step
        self.cleared = True
        self.cleared_after_backward = False
        self.clear_line = ""
        self.pattern: list[str] = []
        self.versions = -1  # of its parameters together, when it was last cleared or stepped
        self.closed = False
        self.rates: list[tuple[int, float]] = []
        self.keys: list[int] = []  # identities of what it owned when it was last looked at
        self.loads = 0  # state dicts that had been loaded when it stepped last
        self.input_backwards = False
        self.reached_since_step = 0
        self.reached_line = ""  # of the last backward that reached it
        self.left_line = ""  # a backward that reached it, if another optimizer has stepped since
        self.foreign_line = ""  # ... and a further backward has added to its gradients

    def forget_foreign(self) -> None:
        self.left_line = self.foreign_line = ""

    def note_rate(self) -> None:
        """The learning rate of the step that begins."""
        optimizer = self.ref()
        groups = optimizer.param_groups if optimizer is not None else []
        rate = float(groups[0].get("lr", 1.0)) if groups else 0.0
        if not self.rates or self.rates[-1][1] != rate:
            self.rates.append((self.steps, rate))

    def reached_by(self, line: str, *, for_input: bool) -> None:
        """A backward pass, called on `line`, reaches what it owns; it reaches data as well where it is `for_input`."""
        self.mark("I" if for_input else "B")
        self.backwards += 1
        self.backwards_uncleared += 1
        self.foreign_line = self.left_line
        self.reached_line = line
        self.reached_since_step += 1
        self.cleared_after_backward = False
        self.input_backwards = self.input_backwards or for_input

    def clear(self, line: str) -> None:
        self.cleared, self.clear_line = True, line
        self.cleared_after_backward = self.backwards_uncleared > 0
        self.backwards_uncleared = 0
        self.forget_foreign()

    def stepped(self, observed: bool = False) -> None:
        self.forget_foreign()
        self.mark("S", observed)
        self.steps += 1
        self.backwards = self.backwards_uncleared = self.reached_since_step = 0
        self.cleared = self.cleared_after_backward = False

    def parameters(self) -> list[Tensor]:
        optimizer = self.ref()
        owned = [] if optimizer is None else [p for group in optimizer.param_groups for p in group["params"]]
        if optimizer is not None:
            self.keys = [id(parameter) for parameter in owned]
        return owned

    def mark(self, event: str, observed: bool = True) -> None:
        """The pattern ends at the first event that was not observed in full."""
        self.closed = self.closed or (not observed and bool(self.pattern))
        if not observed:
            return
        versions = sum(parameter._version for parameter in self.parameters()) if event in "ZS" else self.versions
        if event == "Z" and -1 != self.versions != versions:
            self._used_by_hand()
        self.versions = versions
        if not self.closed and len(self.pattern) < PATTERN_CAP:
            self.pattern.append(event)

    def _used_by_hand(self) -> None:
        """The script changed the parameters itself since the last event: the gradients were not thrown away."""
        for place in range(len(self.pattern) - 1, -1, -1):
            if self.pattern[place] != "B":
                break
            self.pattern[place] = "b"


def graph_leaves(root: Tensor) -> list[Tensor]:
    """Leaves that a backward pass from `root` will reach."""
    if root.grad_fn is None:
        return [root] if root.requires_grad else []
    leaves: list[Tensor] = []
    seen: set[Any] = {root.grad_fn}
    stack: list[Any] = [root.grad_fn]
    while stack:
        node = stack.pop()
        variable = getattr(node, "variable", None)
        if variable is not None and isinstance(variable, Tensor):
            leaves.append(variable)
        for parent, _ in node.next_functions:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return leaves


def nonzero(tensors: Iterable[Tensor | None]) -> list[float]:
    """Norms of the tensors, read in one transfer."""
    dense = [tensor.detach() for tensor in tensors if tensor is not None]
    if not dense:
        return []
    values = norms(dense)
    if len({value.device for value in values}) > 1:
        return [float(value) for value in values]
    floats: list[float] = torch.stack(values).tolist()
    return floats


def length(tensors: Iterable[Tensor | None]) -> float:
    """The norm of all their elements."""
    return float(sum(size * size for size in nonzero(tensors)) ** 0.5)


def rows_equal(matrix: Tensor | None, tolerance: float = 0.0) -> bool:
    """Every row is the first row, up to `tolerance` of the largest magnitude; a zero matrix has equal rows."""
    if matrix is None or matrix.dim() < 2 or matrix.shape[0] < 2 or matrix.numel() == 0 or matrix[0].numel() < 2:
        return False
    rows = matrix.detach().flatten(1)
    return bool((rows - rows[:1]).abs().max() <= tolerance * rows.abs().max())


def initial_facts(track: ParameterTrack, values: Tensor) -> None:
    if values.numel() == 0:
        return
    if values.dim() >= 2:
        track.rows_equal = rows_equal(values)
        track.all_zero = track.stayed_zero = not bool(values.any())
        track.constant = track.rows_equal and not track.all_zero and bool((values == values.flatten()[0]).all())
    track.first = sample(values).clone()


def sample(values: Tensor) -> Tensor:
    """Up to 512 spread elements."""
    flat = values.reshape(-1)
    return flat[:: max(1, flat.numel() // 256)]


def refresh(track: ParameterTrack) -> None:
    """Compare with the values when it was first seen (up to 512 spread elements); the tensor may be gone later."""
    tensor = track.ref()
    if tensor is None or track.first is None or not is_plain(tensor):
        return
    track.requires_grad = tensor.requires_grad
    now = sample(tensor.detach())
    same = now.shape == track.first.shape and now.device == track.first.device and torch.equal(now, track.first)
    track.unchanged = track.unchanged and same
    track.stayed_zero = track.stayed_zero and not bool(tensor.detach().any())
