"""A canvas that writes SVG: shapes, text, arrows, pictures. No script, no style attribute, everything escaped.

Colours are CSS variables with a mid-tone fallback, and ink is `currentColor`, so one drawing is readable on a light
and on a dark page, in a notebook and in a file. Coordinates are in pixels at 100 %; y grows downwards.
"""

import base64
import io
import re
from collections.abc import Mapping, Sequence
from html import escape as escape_html

import numpy as np
from PIL import Image

# Okabe and Ito's colour-blind-safe palette, at luminances that stand out on white and on near-black.
COLORS = (
    "var(--tc-color-0, #2f80c8)",
    "var(--tc-color-1, #d9711c)",
    "var(--tc-color-2, #1f9e77)",
    "var(--tc-color-3, #c65a97)",
    "var(--tc-color-4, #b08d00)",
    "var(--tc-color-5, #7a6fd0)",
    "var(--tc-color-6, #4aa3c7)",
    "var(--tc-color-7, #808080)",
)
INK = "currentColor"
GOOD = "var(--tc-good, #1f9e77)"
BAD = "var(--tc-bad, #d43f3a)"
NONE = "none"
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class Drawing:
    """Collects shapes; `svg()` returns the element. `title` is what a screen reader says first."""

    def __init__(self, width: float, height: float, title: str, description: str = "") -> None:
        self.width = width
        self.height = height
        self._title = title
        self._description = description
        self._parts: list[str] = []

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: str = NONE,
        stroke: str = NONE,
        opacity: float = 1.0,
        radius: float = 0.0,
        dash: str = "",
        tooltip: str = "",
    ) -> None:
        shape = {"x": x, "y": y, "width": width, "height": height, "rx": radius or None}
        self._shape("rect", shape, fill=fill, stroke=stroke, opacity=opacity, dash=dash, tooltip=tooltip)

    def circle(self, x: float, y: float, radius: float, *, fill: str = INK, opacity: float = 1.0, tooltip: str = "") -> None:
        self._shape("circle", {"cx": x, "cy": y, "r": radius}, fill=fill, opacity=opacity, tooltip=tooltip)

    def line(
        self,
        x1: float,
        y1: float,
        x2: float,
        y2: float,
        *,
        stroke: str = INK,
        width: float = 1.0,
        opacity: float = 1.0,
        dash: str = "",
        arrow: bool = False,
    ) -> None:
        shape = {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "stroke-width": width}
        self._shape("line", shape, stroke=stroke, opacity=opacity, dash=dash)
        if arrow:
            self._arrow_head(x1, y1, x2, y2, stroke, opacity)

    def polyline(
        self,
        points: Sequence[tuple[float, float]],
        *,
        stroke: str = INK,
        width: float = 1.5,
        fill: str = NONE,
        opacity: float = 1.0,
        dash: str = "",
        tooltip: str = "",
    ) -> None:
        path = " ".join(f"{_number(x)},{_number(y)}" for x, y in points)
        shape = {"points": path, "stroke-width": width, "stroke-linejoin": "round"}
        self._shape("polyline", shape, stroke=stroke, fill=fill, opacity=opacity, dash=dash, tooltip=tooltip)

    def path(
        self, d: str, *, stroke: str = INK, fill: str = NONE, width: float = 1.0, opacity: float = 1.0, dash: str = ""
    ) -> None:
        self._shape("path", {"d": d, "stroke-width": width}, stroke=stroke, fill=fill, opacity=opacity, dash=dash)

    def text(
        self,
        x: float,
        y: float,
        content: object,
        *,
        size: float = 12,
        anchor: str = "start",  # "start" | "middle" | "end"
        fill: str = INK,
        bold: bool = False,
        mono: bool = False,
        opacity: float = 1.0,
        rotate: float = 0.0,
    ) -> None:
        attributes = {
            "x": x,
            "y": y,
            "font-size": size,
            "text-anchor": anchor,
            "font-weight": 600 if bold else None,
            "font-family": "ui-monospace, monospace" if mono else None,
            "transform": f"rotate({_number(rotate)} {_number(x)} {_number(y)})" if rotate else None,
            "fill": fill,
            "opacity": opacity if opacity < 1 else None,
        }
        self._parts.append(f"<text{_attributes(attributes)}>{_escape(str(content))}</text>")

    def picture(self, x: float, y: float, width: float, height: float, pixels: np.ndarray, tooltip: str = "") -> None:
        """Draw pixels [H, W] or [H, W, 3|4], uint8, as crisp squares (one embedded PNG)."""
        buffer = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", optimize=True)
        shape = {
            "x": x,
            "y": y,
            "width": width,
            "height": height,
            "preserveAspectRatio": "none",
            "image-rendering": "pixelated",
            "href": "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode(),
        }
        self._shape("image", shape, tooltip=tooltip)

    def svg(self) -> str:
        size = f'viewBox="0 0 {_number(self.width)} {_number(self.height)}" width="{_number(self.width)}"'
        description = f"<desc>{_escape(self._description)}</desc>" if self._description else ""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} height="{_number(self.height)}" role="img" '
            f'aria-label="{_escape(self._title)}" font-family="system-ui, sans-serif" class="tc-figure">'
            f"<title>{_escape(self._title)}</title>{description}{''.join(self._parts)}</svg>"
        )

    def _arrow_head(self, x1: float, y1: float, x2: float, y2: float, fill: str, opacity: float) -> None:
        length = max(((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5, 1e-9)
        dx, dy = (x2 - x1) / length, (y2 - y1) / length
        corners = [(x2, y2), (x2 - 7 * dx - 3.5 * dy, y2 - 7 * dy + 3.5 * dx), (x2 - 7 * dx + 3.5 * dy, y2 - 7 * dy - 3.5 * dx)]
        path = " ".join(f"{_number(x)},{_number(y)}" for x, y in corners)
        self._shape("polygon", {"points": path}, fill=fill, opacity=opacity)

    def _shape(
        self,
        tag: str,
        shape: Mapping[str, object],
        *,
        fill: str = "",
        stroke: str = "",
        opacity: float = 1.0,
        dash: str = "",
        tooltip: str = "",
    ) -> None:
        attributes = dict(shape) | {
            "fill": fill or None,
            "stroke": stroke or None,
            "opacity": opacity if opacity < 1 else None,
            "stroke-dasharray": dash or None,
        }
        inner = f"<title>{_escape(tooltip)}</title>" if tooltip else ""
        self._parts.append(f"<{tag}{_attributes(attributes)}>{inner}</{tag}>" if inner else f"<{tag}{_attributes(attributes)}/>")


def _attributes(attributes: dict[str, object]) -> str:
    return "".join(
        f' {key}="{_number(value) if isinstance(value, float) else _escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )


def _escape(text: str) -> str:
    """Text as XML can hold it: marked up, and without the characters that XML forbids."""
    return escape_html(_NOT_XML.sub("\ufffd", text))


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
