"""The machine a pickle stream drives: a stack and a memo, with inert records where unpickling would import or call.

Work and memory are bounded by `MOST_STEPS` operations and `MOST_BYTES` of text: a length field that points past the end
of the stream is refused before anything is allocated, and byte strings are slices of the file.

Reference: the opcodes are those of Python's `pickletools`, protocols 0 to 5.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torchclinic.errors import CheckpointError

MOST_BYTES = 64 * 2**20
MOST_STEPS = 2_000_000
MOST_DIGITS = 4000


@dataclass(frozen=True, slots=True)
class Global:
    """A name that unpickling would import."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class Pairs:
    """A dict, as the pairs that were set, in order. Keys need not be hashable."""

    items: list[tuple[Any, Any]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Call:
    """A call that unpickling would make, and the state, items and elements it would then give to the result."""

    function: Any
    arguments: Any
    state: Any = None
    items: list[tuple[Any, Any]] = field(default_factory=list)
    elements: list[Any] = field(default_factory=list)


MARK = object()


class Machine:
    """What the operations of a stream act on: the bytes of `data` from `position` on, the stack, the memo.

    `rebuild(call)` may replace a call by another inert value, `persistent(id)` resolves persistent ids.
    """

    def __init__(
        self,
        data: memoryview,
        rebuild: Callable[[Call], Any] = lambda call: call,
        persistent: Callable[[Any], Any] = lambda identifier: identifier,
    ) -> None:
        self.data = data
        self.position = 0
        self.steps = 0
        self.text_bytes = 0
        self.rebuild = rebuild
        self.persistent = persistent
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.globals: dict[Global, bool] = {}  # every name imported → whether it is called

    def malformed(self, reason: str) -> CheckpointError:
        return CheckpointError(f"The pickle stream is malformed at byte {self.position:,}: {reason}.")

    # reading

    def take(self, count: int) -> memoryview:
        piece = self.data[self.position : self.position + count]
        if len(piece) < count:
            missing = count - len(piece)
            raise CheckpointError(f"The pickle stream is truncated at byte {self.position:,}: {missing:,} bytes missing.")
        self.position += count
        return piece

    def take_number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def take_line(self) -> str:
        window = bytes(self.data[self.position : self.position + MOST_DIGITS])
        end = window.find(b"\n")
        if end < 0:
            raise self.malformed("a line of text has no end")
        self.position += end + 1
        return window[:end].decode("utf8", "backslashreplace")

    def take_text(self, length: int) -> str:
        self.text_bytes += length
        if self.text_bytes > MOST_BYTES:
            return ""
        return bytes(self.take(length)).decode("utf8", "backslashreplace")

    # the stack

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is MARK:
            raise self.malformed("a value is missing on the stack")
        return self.stack.pop()

    def top(self) -> Any:
        if not self.stack or self.stack[-1] is MARK:
            raise self.malformed("a value is missing on the stack")
        return self.stack[-1]

    def pop_to_mark(self) -> list[Any]:
        values = []
        while self.stack and self.stack[-1] is not MARK:
            values.append(self.stack.pop())
        if not self.stack:
            raise self.malformed("a mark is missing on the stack")
        self.stack.pop()
        return values[::-1]

    # names and calls

    def find(self, module: Any, name: Any) -> Global:
        computed = not (isinstance(module, str) and isinstance(name, str))
        found = Global("(computed)", "(computed)") if computed else Global(module, name)
        self.globals.setdefault(found, False)
        return found

    def call(self, function: Any, arguments: Any) -> Any:
        if isinstance(function, Global):
            self.globals[function] = True
        return self.rebuild(Call(function, arguments))

    # operations

    def set_pairs(self, values: list[Any]) -> None:
        if len(values) % 2:
            raise self.malformed("a dict has a key without a value")
        target = self.top()
        pairs = list(zip(values[::2], values[1::2], strict=True))
        if not isinstance(target, Pairs | Call):
            raise self.malformed("items are set on something that is not a dict")
        target.items += pairs

    def extend(self, values: list[Any]) -> None:
        target = self.top()
        if isinstance(target, Call):
            target.elements += values
        elif isinstance(target, list):
            target += values
        else:
            raise self.malformed("elements are added to something that is not a list")

    def build(self) -> None:
        state, target = self.pop(), self.top()
        if isinstance(target, Call):
            target.state = state

    def remember(self, key: int) -> None:
        self.memo[key] = self.top()

    def recall(self, key: int) -> None:
        if key not in self.memo:
            raise self.malformed(f"memo entry {key} was never written")
        self.stack.append(self.memo[key])
