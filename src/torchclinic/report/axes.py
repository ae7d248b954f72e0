"""Plot areas: the range of the data, round ticks, and the frame with its labels. Linear and logarithmic."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from torchclinic.report.drawing import Drawing

FONT = 11  # px, of tick labels
LETTER = 6.2  # px, a generous mean width of a letter at FONT
GRID = 0.15  # opacity of grid lines


@dataclass(frozen=True, slots=True)
class Axis:
    """Maps values in [low, high] to pixels in [start, end]; `start` may be the larger one (y grows downwards)."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def position(self, value: float) -> float:
        low, high, at = (
            (math.log10(v) for v in (self.low, self.high, value)) if self.log else (self.low, self.high, value)
        )
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def shows(self, value: float | None) -> bool:
        """Whether a value has a place on this axis: NaN, infinity, and values ≤ 0 on a log axis have none."""
        return value is not None and math.isfinite(value) and (not self.log or value > 0)

    def ticks(self) -> list[float]:
        most = max(2, int(abs(self.end - self.start) // 55))
        return log_ticks(self.low, self.high, most) if self.log else round_ticks(self.low, self.high, most)


def axis_for(values: Iterable[float | None], start: float, end: float, log: bool = False, zero: bool = False) -> Axis:
    """An axis that holds every drawable value with a little air; `zero` includes 0 (for bars)."""
    drawable = [float(v) for v in values if v is not None and math.isfinite(v) and (not log or v > 0)]
    if zero and not log:
        drawable.append(0.0)
    low, high = (min(drawable), max(drawable)) if drawable else (1.0, 10.0) if log else (0.0, 1.0)
    if log:
        air = (high / low) ** 0.04 if high > low else 2.0
        return Axis(max(low / air, 5e-324), min(high * air, 1.7e308), start, end, log)
    air = (high - low) * 0.04 or abs(high) * 0.1 or 0.5
    bottom = low if zero and low == 0 else low - air
    top = high if zero and high == 0 else high + air
    return Axis(max(bottom, -1.7e308), min(top, 1.7e308), start, end)


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
        return [10.0**exponent for exponent in decades if exponent % stride == 0]
    spread = range(math.floor(bottom), math.ceil(top) + 1)
    ticks = [factor * 10.0**exponent for exponent in spread for factor in (1, 2, 5)]
    inside = [tick for tick in ticks if low <= tick <= high]
    return inside if len(inside) >= 2 else round_ticks(low, high, most)


def tick_label(value: float, ticks: Sequence[float]) -> str:
    """Short, and with as many decimals as the step between the ticks needs."""
    largest = max(abs(tick) for tick in ticks)
    step = min((abs(b - a) for a, b in pairwise(ticks)), default=largest or 1.0)
    if largest >= 1e5 or 0 < step < 1e-4:
        text = f"{value:.1e}".replace(".0e", "e")
        mantissa, exponent = text.split("e")
        return "0" if value == 0 else f"{mantissa}e{int(exponent)}"
    if ticks[-1] > 0 and ticks[0] > 0 and ticks[-1] / ticks[0] > 50:  # logarithmic
        return f"{value:g}"
    return f"{value:,.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"


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


def draw_legend(
    drawing: Drawing, names: Sequence[str], colors: Sequence[str], left: float, dashed: Sequence[str]
) -> None:
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
