"""The operations of a pickle stream, protocols 0 to 5, by their byte.

Reference: Python's `pickletools`, which documents each of them.
"""

from collections.abc import Callable
from typing import Any

from torchclinic.checkpoints.machine import MARK, MOST_DIGITS, Global, Machine, Pairs

Handler = Callable[[Machine], None]


def _push(make: Callable[[Machine], Any]) -> Handler:
    return lambda reader: reader.stack.append(make(reader))


def _int_line(reader: Machine) -> int | bool:
    line = reader.take_line().rstrip("L")
    return line == "01" if line in ("00", "01") else int(line)


def _tuple(count: int) -> Handler:
    def make(reader: Machine) -> tuple[Any, ...]:
        return tuple([reader.pop() for _ in range(count)][::-1])

    return _push(make)


def _instance(reader: Machine) -> Any:
    module, name = reader.take_line(), reader.take_line()
    return reader.call(reader.find(module, name), tuple(reader.pop_to_mark()))


def _object(reader: Machine) -> Any:
    values = reader.pop_to_mark()
    if not values:
        raise reader.malformed("an object has no class")
    return reader.call(values[0], tuple(values[1:]))


def _reduce(reader: Machine) -> Any:
    arguments = reader.pop()
    return reader.call(reader.pop(), arguments)


def _new_with_keywords(reader: Machine) -> Any:
    keywords, arguments, function = reader.pop(), reader.pop(), reader.pop()
    return reader.call(function, (arguments, keywords))


def _stack_global(reader: Machine) -> Global:
    name, module = reader.pop(), reader.pop()
    return reader.find(module, name)


def _dict(reader: Machine) -> Pairs:
    values = reader.pop_to_mark()
    reader.stack.append(Pairs())
    reader.set_pairs(values)
    return reader.stack.pop()  # type: ignore[no-any-return]


def _set_item(reader: Machine) -> None:
    value, key = reader.pop(), reader.pop()
    reader.set_pairs([key, value])


def _pop_any(reader: Machine) -> None:
    if not reader.stack:
        raise reader.malformed("a value is missing on the stack")
    reader.stack.pop()


def _append(reader: Machine) -> None:
    value = reader.pop()
    reader.extend([value])


def _extension(form: str) -> Handler:
    return _push(lambda reader: reader.find("copyreg", f"extension {reader.take_number(form)}"))


def _long(form: str) -> Handler:
    def make(reader: Machine) -> int:
        length = reader.take_number(form)
        if length < 0:
            raise reader.malformed("an integer has a negative length")
        if length > MOST_DIGITS:
            raise reader.malformed(f"an integer has {length:,} bytes")
        return int.from_bytes(reader.take(length), "little", signed=True)

    return _push(make)


def _sized(form: str, *, text: bool) -> Handler:
    def make(reader: Machine) -> Any:
        length = reader.take_number(form)
        if length < 0:
            raise reader.malformed("a text has a negative length")
        return reader.take_text(length) if text else reader.take(length)

    return _push(make)


HANDLERS: dict[int, Handler] = {
    ord("("): lambda r: r.stack.append(MARK),
    ord("0"): _pop_any,
    ord("1"): lambda r: (r.pop_to_mark(), None)[1],
    ord("2"): _push(lambda r: r.top()),
    ord("F"): _push(lambda r: float(r.take_line())),
    ord("I"): _push(_int_line),
    ord("J"): _push(lambda r: r.take_number("<i")),
    ord("K"): _push(lambda r: r.take_number("<B")),
    ord("L"): _push(_int_line),
    ord("M"): _push(lambda r: r.take_number("<H")),
    ord("N"): _push(lambda r: None),
    ord("P"): _push(lambda r: r.persistent(r.take_line())),
    ord("Q"): _push(lambda r: r.persistent(r.pop())),
    ord("R"): _push(_reduce),
    ord("S"): _push(lambda r: r.take_line().strip("'\"")),
    ord("T"): _sized("<i", text=True),
    ord("U"): _sized("<B", text=True),
    ord("V"): _push(lambda r: r.take_line()),
    ord("X"): _sized("<I", text=True),
    ord("a"): _append,
    ord("b"): Machine.build,
    ord("c"): _push(lambda r: r.find(r.take_line(), r.take_line())),
    ord("d"): _push(_dict),
    ord("}"): _push(lambda r: Pairs()),
    ord("e"): lambda r: r.extend(r.pop_to_mark()),
    ord("g"): lambda r: r.recall(int(r.take_line())),
    ord("h"): lambda r: r.recall(r.take_number("<B")),
    ord("i"): _push(_instance),
    ord("j"): lambda r: r.recall(r.take_number("<I")),
    ord("l"): _push(lambda r: r.pop_to_mark()),
    ord("]"): _push(lambda r: []),
    ord("o"): _push(_object),
    ord("p"): lambda r: r.remember(int(r.take_line())),
    ord("q"): lambda r: r.remember(r.take_number("<B")),
    ord("r"): lambda r: r.remember(r.take_number("<I")),
    ord("s"): _set_item,
    ord("t"): _push(lambda r: tuple(r.pop_to_mark())),
    ord(")"): _push(lambda r: ()),
    ord("u"): lambda r: r.set_pairs(r.pop_to_mark()),
    ord("G"): _push(lambda r: r.take_number(">d")),
    0x80: lambda r: (r.take(1), None)[1],  # PROTO
    0x81: _push(_reduce),  # NEWOBJ
    0x82: _extension("<B"),
    0x83: _extension("<H"),
    0x84: _extension("<i"),
    0x85: _tuple(1),
    0x86: _tuple(2),
    0x87: _tuple(3),
    0x88: _push(lambda r: True),
    0x89: _push(lambda r: False),
    0x8A: _long("<B"),
    0x8B: _long("<i"),
    ord("B"): _sized("<I", text=False),
    ord("C"): _sized("<B", text=False),
    0x8C: _sized("<B", text=True),
    0x8D: _sized("<Q", text=True),
    0x8E: _sized("<Q", text=False),
    0x8F: _push(lambda r: []),  # EMPTY_SET
    0x90: lambda r: r.extend(r.pop_to_mark()),  # ADDITEMS
    0x91: _push(lambda r: tuple(r.pop_to_mark())),  # FROZENSET
    0x92: _push(_new_with_keywords),  # NEWOBJ_EX
    0x93: _push(_stack_global),
    0x94: lambda r: r.remember(len(r.memo)),  # MEMOIZE
    0x95: lambda r: (r.take(8), None)[1],  # FRAME
    0x96: _sized("<Q", text=False),  # BYTEARRAY8
    0x97: _push(lambda r: None),  # NEXT_BUFFER
    0x98: lambda r: None,  # READONLY_BUFFER
}
