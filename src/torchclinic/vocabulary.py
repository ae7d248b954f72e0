"""Names of torch functions, as a function mode sees them: one set for each kind of operation."""

REFLECTED = frozenset(["__rsub__", "__rdiv__", "__rtruediv__", "__rpow__"])
_REFLECTED = {
    "rsub": "sub",
    "radd": "add",
    "rmul": "mul",
    "rdiv": "div",
    "rtruediv": "div",
    "truediv": "div",
    "rpow": "pow",
}
_IN_PLACE = {"iadd": "add_", "isub": "sub_", "imul": "mul_", "idiv": "div_", "itruediv": "div_", "ipow": "pow_"}
_NAMES = {"true_divide": "div", "divide": "div", "multiply": "mul", "subtract": "sub", "absolute": "abs"}


def plain_name(name: str) -> str:
    """`__rsub__` -> `sub`, `__iadd__` -> `add_`, `true_divide` -> `div`."""
    if name.startswith("__"):
        name = name.strip("_")
        return _REFLECTED.get(name) or _IN_PLACE.get(name) or name
    return _NAMES.get(name, name)
