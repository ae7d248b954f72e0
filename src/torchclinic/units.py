"""The only place that turns bytes, counts, seconds and plain numbers into text."""

import math
from collections.abc import Sequence


def format_nbytes(nbytes: float) -> str:
    """1536 -> '1.5 KiB'. Powers of 1024."""
    size = float(nbytes)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if abs(size) < 1024 or unit == "TiB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    raise AssertionError("unreachable")


def format_count(count: float) -> str:
    """1234567 -> '1,234,567'."""
    return f"{count:,.0f}"


def format_seconds(seconds: float) -> str:
    """0.0123 -> '12.3 ms'; 75 -> '1 min 15 s'."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.1f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.1f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def format_share(share: float) -> str:
    """0.983 -> '98.3 %'."""
    return f"{share * 100:.1f} %"


def format_number(value: object, digits: int = 4) -> str:
    """Any measured value for a reader: `digits` significant digits, integers whole, everything else as `str`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return format_count(value)
    if not math.isfinite(value):
        return str(value)
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:,.0f}"
    return f"{value:.{digits - 1}e}"


def format_column(values: Sequence[object]) -> list[str]:
    """The cells of one column: numbers of similar size with equally many decimals, so that they line up; None empty."""
    sizes = [abs(value) for value in values if isinstance(value, float) and math.isfinite(value) and value]
    similar = bool(sizes) and min(sizes) >= 1e-3 and max(sizes) < min(1e4, 100 * min(sizes))
    decimals = max(len(f"{size:.4g}".partition(".")[2]) for size in sizes) if similar else None

    def cell(value: object) -> str:
        if value is None:
            return ""
        if decimals is not None and isinstance(value, float) and math.isfinite(value):
            return f"{value:,.{decimals}f}"
        return format_number(value)

    return [cell(value) for value in values]
