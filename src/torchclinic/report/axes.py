"""Plot areas: the range of the data, round ticks, and the frame with its labels. Linear and logarithmic."""

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from torchclinic.report.drawing import Drawing

FONT = 11  # px, of tick labels
LETTER = 6.2  # px, a generous mean width of a letter at FONT
GRID = 0.15  # opacity of grid lines
SMALLEST = 1e-290  # drawn on a log axis; below, powers of ten lose their digits
LARGEST = sys.float_info.max
NARROWEST = 1e-12  # relative span of an axis: below, rounding decides where a point lies


@dataclass(frozen=True, slots=True)
class Axis:
    """Maps values in [low, high] to pixels in [start, end]; `start` may be the larger one (y grows downwards)."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def position(self, value: float) -> float:
        low, high, at = (math.log10(v) if self.log else v / 2 for v in (self.low, self.high, value))  # /2: no overflow
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def shows(self, value: float | None) -> bool:
        """Whether a value has a place on this axis."""
        return is_drawable(value, self.log)

    def ticks(self) -> list[float]:
        most = max(2, int(abs(self.end - self.start) // 55))
        return log_ticks(self.low, self.high, most) if self.log else round_ticks(self.low, self.high, most)


def is_drawable(value: float | None, log: bool = False) -> bool:
    """NaN, infinity, and what is not positive (or below SMALLEST) on a log axis cannot be drawn."""
    return value is not None and math.isfinite(value) and (not log or value >= SMALLEST)


def axis_for(values: Iterable[float | None], start: float, end: float, log: bool = False, zero: bool = False) -> Axis:
    """An axis that holds every drawable value with a little air; `zero` includes 0 (for bars)."""
    drawable = [float(value) for value in values if value is not None and is_drawable(value, log)]
    if zero and not log:
        drawable.append(0.0)
    low, high = (min(drawable), max(drawable)) if drawable else (1.0, 10.0) if log else (0.0, 1.0)
    if log:
        air = max((high / low) ** 0.04, 1.1) if high < LARGEST * low else 1e12
        return Axis(max(low / air, SMALLEST / 10), min(high * air, LARGEST), start, end, log)
    air = (high / 25 - low / 25) or 0.5
    if high / 2 - low / 2 < NARROWEST * max(abs(low), abs(high)) or air < SMALLEST:
        air = abs(high) * 0.1 or 0.5
    bottom = low if zero and low == 0 else max(low - air, -LARGEST)
    top = high if zero and high == 0 and low < 0 else min(high + air, LARGEST)
    return Axis(bottom, top, start, end)


def round_ticks(low: float, high: float, most: int) -> list[float]:
    """At most about `most` multiples of 1, 2 or 5 times a power of ten inside [low, high]."""
    raw = high / most - low / most
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Powers of ten, thinned to `most`; within less than two decades also their multiples by 2 and 5."""
    bottom, top = math.log10(low), math.log10(high)
    decades = range(math.ceil(bottom - 1e-9), math.floor(top + 1e-9) + 1)
    if len(decades) >= 2:
        stride = math.ceil(len(decades) / most)
        return [float(f"1e{exponent}") for exponent in decades if exponent % stride == 0]
    spread = range(math.floor(bottom), min(math.ceil(top), sys.float_info.max_10_exp) + 1)
    ticks = [float(f"{factor}e{exponent}") for exponent in spread for factor in (1, 2, 5)]
    inside = [tick for tick in ticks if low <= tick <= high]
    return inside if len(inside) >= 2 else round_ticks(low, high, most)


def tick_label(value: float, ticks: Sequence[float]) -> str:
    """Short, and with as many digits as it takes to tell the ticks apart."""
    if value == 0:
        return "0"
    gaps = [b - a for a, b in pairwise(ticks)] or [abs(value)]
    sizes = [abs(tick) for tick in ticks if tick]
    if max(sizes) >= 1e5 or max(sizes) < 1e-3 or min(sizes) < 1e-4:
        exact = (f"{value:.{digits}e}" for digits in range(16))
        text = next((text for text in exact if abs(float(text) - value) <= min(gaps) / 1000), f"{value:.16e}")
        mantissa, exponent = text.split("e")
        return f"{mantissa}e{int(exponent)}"
    if max(gaps) > 1.5 * min(gaps):  # logarithmic
        return f"{value:,g}"
    return f"{value:,.{max(0, -math.floor(math.log10(min(gaps)) + 1e-9))}f}"


def left_margin(y: Axis, label: str) -> float:
    """Room for the longest value beside the axis, and for the label."""
    ticks = y.ticks()
    return max(LETTER * len(tick_label(tick, ticks)) for tick in ticks) + (30 if label else 14)


def draw_x_axis(drawing: Drawing, x: Axis, bottom: float, label: str) -> None:
    """The base line with its ticks, and the label below."""
    ticks = x.ticks()
    for tick in ticks:
        at = x.position(tick)
        drawing.line(at, bottom, at, bottom + 4, opacity=0.6)
        drawing.text(at, bottom + 17, tick_label(tick, ticks), size=FONT, anchor="middle")
    drawing.line(x.start, bottom, x.end, bottom, opacity=0.6)
    if label:
        drawing.text((x.start + x.end) / 2, bottom + 34, label, size=12, anchor="middle")


def draw_y_axis(drawing: Drawing, y: Axis, left: float, right: float, label: str) -> None:
    """Grid lines with their values, and the label at the left edge."""
    ticks = y.ticks()
    for tick in ticks:
        at = y.position(tick)
        drawing.line(left, at, right, at, opacity=GRID)
        drawing.text(left - 6, at + 4, tick_label(tick, ticks), size=FONT, anchor="end")
    if label:
        drawing.text(14, (y.start + y.end) / 2, label, size=12, anchor="middle", rotate=-90)


def draw_legend(drawing: Drawing, names: Sequence[str], colors: Sequence[str], left: float, dashed: Sequence[str]) -> None:
    """Names in rows at the top; `legend_height` says how much room they take."""
    for name, color, (x, row) in zip(names, colors, _legend_places(names, left, drawing.width), strict=True):
        y = 12 + 17 * row
        drawing.line(x, y - 4, x + 18, y - 4, stroke=color, width=2.5, dash="4 3" if name in dashed else "")
        drawing.text(x + 23, y, name, size=FONT)


def legend_height(names: Sequence[str], left: float, width: float) -> float:
    places = _legend_places(names, left, width)
    return 17.0 * (places[-1][1] + 1) + 4 if places else 4.0


def _legend_places(names: Sequence[str], left: float, width: float) -> list[tuple[float, int]]:
    places = []
    x, row = left, 0
    for name in names:
        needed = 23 + LETTER * len(name) + 16
        if x > left and x + needed > width:
            x, row = left, row + 1
        places.append((x, row))
        x += needed
    return places
