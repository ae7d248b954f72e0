"""Charts and pictures: valid XML, every point in its place, nothing dropped silently."""

import base64
import io
import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from report_fixtures import figures
from torchclinic.errors import InputError
from torchclinic.report.axes import Axis, axis_for, log_ticks, round_ticks, tick_label
from torchclinic.report.charts import MOST_POINTS, MOST_ROWS, PLOT_HEIGHT, WIDTH
from torchclinic.report.drawing import Drawing
from torchclinic.report.figures import (
    bar_chart,
    heat_map,
    histogram,
    image_grid,
    line_chart,
    picture_text,
    signed_pixels,
    strip_heat_map,
)
from torchclinic.report.results import Figure

SVG = "{http://www.w3.org/2000/svg}"
any_float = st.floats(allow_nan=True, allow_infinity=True)
finite = st.floats(allow_nan=False, allow_infinity=False)


def shapes(figure: Figure, tag: str) -> list[ElementTree.Element]:
    return ElementTree.fromstring(figure.svg).findall(SVG + tag)


def points(figure: Figure) -> list[tuple[float, float]]:
    """Every point drawn: of lines, and single ones."""
    lines = [shape.get("points", "") for shape in shapes(figure, "polyline")]
    pairs = [tuple(map(float, pair.split(","))) for line in lines for pair in line.split()]
    return pairs + [(float(dot.get("cx")), float(dot.get("cy"))) for dot in shapes(figure, "circle")]


@settings(deadline=None)
@given(st.text())
def test_a_drawing_is_valid_xml_whatever_is_written(text):
    drawing = Drawing(10, 10, text, text)
    drawing.text(1, 1, text)
    drawing.rect(0, 0, 1, 1, tooltip=text, fill=text)
    root = ElementTree.fromstring(drawing.svg())
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {"svg", "title", "desc", "text", "rect"}


@pytest.mark.parametrize("name", ["<b>", "&", '"', "]]>", "\x00", "\ud800"])
def test_every_figure_is_valid_xml_whatever_it_is_called(name):
    for figure in figures(name):
        assert ElementTree.fromstring(figure.svg).tag == SVG + "svg"


@settings(deadline=None)
@given(st.lists(st.tuples(any_float, any_float), max_size=30), st.booleans(), st.booleans())
@example([(0.0, -1.7976931348623157e308), (1.0, 1.7976931348623157e308)], False, False)
@example([(1.0, 1.0), (1.0, 1.0000000000000002)], False, True)
@example([(0.0, 5e-324), (5e-324, 0.0)], True, True)
@example([(9.1e307, 0.0)], True, False)
def test_every_point_lies_in_the_plot_area_or_is_counted(line, log_x, log_y):
    figure = line_chart("t", {"a": line}, "x", "y", log_x=log_x, log_y=log_y, markers=True)
    drawn = points(figure)
    assert all(0 <= x <= WIDTH and 0 <= y <= PLOT_HEIGHT + 30 for x, y in drawn)
    dots = len(shapes(figure, "circle"))
    noted = re.search(r"(\d+) of the points cannot be drawn", figure.svg)
    assert dots + (int(noted[1]) if noted else 0) == len(line)


def test_higher_values_lie_higher_and_log_axes_are_straight():
    line = [(step, 10.0**-step) for step in range(5)]
    drawn = points(line_chart("t", {"a": line}, log_y=True))
    rises = np.diff([y for _, y in drawn])
    np.testing.assert_allclose(rises, rises[0], atol=0.02)  # pixels are written with two decimals
    assert rises[0] > 0, "y grows downwards: smaller values lie lower"


def test_a_gap_interrupts_the_line():
    figure = line_chart("t", {"a": [(0, 1), (1, 2), (2, math.nan), (3, 1), (4, 2), (5, math.inf), (6, 1)]})
    assert len(shapes(figure, "polyline")) == 2
    assert len(shapes(figure, "circle")) == 1, "a single point is a dot"
    assert "2 of the points cannot be drawn" in figure.svg


@pytest.mark.parametrize("series", [{}, {"a": []}, {"a": [(1, 1)]}, {"a": [(0, math.nan)]}], ids=str)
def test_charts_with_next_to_nothing_are_drawn(series):
    for log in (False, True):
        figure = line_chart("t", series, log_y=log)
        assert len(points(figure)) == sum(math.isfinite(y) for line in series.values() for _, y in line)


def test_a_long_line_is_thinned_without_losing_its_extremes():
    line = [(step, math.sin(step / 500)) for step in range(20_000)]
    line[7777] = (7777, 30.0)
    line[8888] = (8888, -20.0)
    figure = line_chart("t", {"a": line})
    drawn = points(figure)
    whole = line_chart("t", {"a": line}, markers=True)
    assert len(drawn) <= MOST_POINTS + 2
    for extreme in (min, max):
        assert extreme(y for _, y in drawn) == extreme(y for _, y in points(whole))
    assert len(figure.table.rows) <= MOST_ROWS + 1
    assert "of 20,000 points" in figure.table.caption
    assert figure.table.rows[-1][0] == 19_999


def test_the_table_of_a_line_chart_holds_its_points():
    figure = line_chart("t", {"a": [(0, 1.5), (2, 2.5)], "b": [(1, 0.5)]}, "step", levels={"theory": 2.0})
    assert figure.table.columns == ("step", "a", "b", "theory")
    assert figure.table.rows == ((0, 1.5, None, 2.0), (1, None, 0.5, 2.0), (2, 2.5, None, 2.0))


@settings(deadline=None)
@given(finite, finite)
def test_round_ticks_are_few_and_inside(a, b):
    axis = axis_for([a, b], 0, 500)
    ticks = axis.ticks()
    assert 1 <= len(ticks) <= 14
    assert all(-1 <= axis.position(tick) <= 501 for tick in ticks)
    assert len({tick_label(tick, ticks) for tick in ticks}) == len(ticks), "labels tell the ticks apart"


@settings(deadline=None)
@given(st.floats(1e-280, 1e280), st.floats(1, 1e20))
def test_log_ticks_are_few_and_inside(low, factor):
    axis = axis_for([low, low * factor], 0, 500, log=True)
    ticks = axis.ticks()
    assert 1 <= len(ticks) <= 14
    assert all(-1 <= axis.position(tick) <= 501 for tick in ticks)
    assert len({tick_label(tick, ticks) for tick in ticks}) == len(ticks)


def test_ticks_are_the_ones_one_would_draw():
    assert round_ticks(0, 10, 5) == [0, 2, 4, 6, 8, 10]
    assert log_ticks(0.5, 2000, 6) == [1, 10, 100, 1000]
    assert [tick_label(tick, [0.0, 0.05, 0.1]) for tick in (0.0, 0.05, 0.1)] == ["0", "0.05", "0.10"]
    for ticks, labels in (
        ([1e-12, 1e-8, 1e-4, 1.0], ["1e-12", "1e-8", "1e-4", "1e0"]),
        ([0.01, 0.1, 1, 10, 1000], ["0.01", "0.1", "1", "10", "1,000"]),
        ([0.0, 1e6, 2e6], ["0", "1e6", "2e6"]),
        ([2.302585, 2.3025855], ["2.3025850", "2.3025855"]),
    ):
        assert [tick_label(tick, ticks) for tick in ticks] == labels
    assert Axis(1, 100, 0, 200, log=True).position(10) == pytest.approx(100)


def test_bars_are_as_long_as_their_values():
    figure = bar_chart("t", ["a", "b", "c"], {"s": [1.0, 2.0, -1.0]})
    widths = [float(bar.get("width")) for bar in shapes(figure, "rect")]
    assert widths[1] == pytest.approx(2 * widths[0], abs=0.02)
    assert widths[2] == pytest.approx(widths[0], abs=0.02)
    assert figure.table.rows == (("a", 1.0), ("b", 2.0), ("c", -1.0))


def test_a_bar_without_a_value_says_so():
    texts = [text.text for text in shapes(bar_chart("t", ["a", "b"], {"s": [None, math.nan]}), "text")]
    assert "none" in texts
    assert "nan" in texts


def test_histogram_counts_every_drawable_value_once():
    values = np.random.default_rng(0).standard_normal((50, 20))
    values[0, :3] = math.nan, math.inf, -math.inf
    figure = histogram("t", {"a": values, "b": [0.0]}, "x", bins=25)
    assert sum(row[2] for row in figure.table.rows) == 50 * 20 - 3
    assert sum(row[3] for row in figure.table.rows) == 1
    assert "3 of the points cannot be drawn" in figure.svg


@settings(deadline=None)
@given(st.lists(any_float, max_size=20), st.booleans())
@example([1e20], False)
def test_any_values_have_a_histogram(values, log_y):
    figure = histogram("t", {"a": values}, log_y=log_y)
    assert sum(row[2] for row in figure.table.rows) == sum(abs(value) < 1e300 for value in values)
    assert all(0 <= x <= WIDTH and 0 <= y <= PLOT_HEIGHT + 30 for x, y in points(figure))


def test_a_heat_map_is_stronger_where_values_are_larger():
    figure = heat_map("t", ["a", "b"], ["c", "d"], [[0, 1], [2, None]], annotate=True)
    cells = [shape for shape in shapes(figure, "rect") if shape.find(SVG + "title") is not None]
    opacities = [float(cell.get("opacity")) for cell in cells[:3]]
    assert opacities == sorted(opacities)
    assert opacities[2] > opacities[1] > opacities[0]
    assert cells[3].get("fill") == "none"
    assert figure.table.rows == (("a", 0.0, 1.0), ("b", 2.0, None))


def test_a_heat_map_with_wrong_labels_is_refused_in_one_sentence():
    with pytest.raises(InputError, match="2 rows of 2"):
        heat_map("t", ["a", "b"], ["c", "d"], [[1, 2]])


def test_pictures_hold_the_pixels_they_were_given():
    pixels = np.random.default_rng(0).integers(0, 255, (3, 7, 5), dtype=np.uint8)
    figure = image_grid("t", pixels, ["a", "b", "c"], columns=2)
    for shape, expected in zip(shapes(figure, "image"), pixels, strict=True):
        content = base64.b64decode(shape.get("href").removeprefix("data:image/png;base64,"))
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content))), expected)


def test_pictures_of_another_type_are_refused_in_one_sentence():
    with pytest.raises(InputError, match=r"float64 \[2, 3\]"):
        image_grid("t", np.zeros((2, 3)))


def test_signed_pixels_are_grey_at_zero_and_mirror_the_sign():
    pixels = signed_pixels([[[0.0, 1.0, -1.0]]])
    assert pixels.shape == (1, 1, 3, 3)
    assert pixels[0, 0, 0].tolist() == [128, 128, 128]
    assert pixels[0, 0, 1, 2] > pixels[0, 0, 1, 0], "positive is blue"
    assert pixels[0, 0, 2, 0] > pixels[0, 0, 2, 2], "negative is orange"
    assert signed_pixels(np.zeros((1, 2, 2))).tolist() == np.full((1, 2, 2, 3), 128).tolist()


def test_a_log_heat_map_shades_by_magnitude_and_crosses_what_has_none():
    figure = heat_map("t", ["a"], list("bcde"), [[1e-4, 1e-2, 1.0, 0.0]], log=True)
    cells = [shape for shape in shapes(figure, "rect") if shape.find(SVG + "title") is not None]
    low, middle, high = (float(cell.get("opacity")) for cell in cells[:3])
    assert middle == pytest.approx((low + high) / 2, abs=0.01)
    assert cells[3].get("fill") == "none"


def test_a_strip_keeps_the_largest_and_the_first_trouble():
    points = [(step, 1.0) for step in range(1000)]
    points[500] = (500, 50.0)
    points[701] = (701, math.nan)
    figure = strip_heat_map("t", {"fc1": points, "fc2": [(0, 2.0)]}, columns=10)
    assert len(figure.table.columns) == 11
    assert figure.table.columns[0] == "step"
    assert figure.table.rows[0][1:6] == (1.0, 1.0, 1.0, 1.0, 1.0)
    assert figure.table.rows[0][6] == 50.0
    assert math.isnan(figure.table.rows[0][8])
    assert figure.table.rows[1][1:] == (2.0, *[None] * 9)
    assert figure.text.splitlines()[0].count("×") == 1
    many = strip_heat_map("t", {"fc1": points}, columns=100).text
    assert many.splitlines()[0].count("×") == 1, "trouble is not lost where columns are merged"


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=5), st.lists(st.tuples(st.integers(0, 10**6), any_float), max_size=10), max_size=3))
def test_any_course_has_a_strip(series):
    figure = strip_heat_map("t", series)
    assert ElementTree.fromstring(figure.svg).tag == SVG + "svg"
    assert len(figure.table.rows) == len(series)


def test_picture_text_has_a_dot_per_bright_pixel():
    pixels = np.random.default_rng(0).integers(0, 2, (9, 7), dtype=np.uint8) * 255
    text = picture_text(pixels)
    assert [len(line) for line in text.split("\n")] == [4, 4, 4]
    dots = sum((ord(letter) - 0x2800).bit_count() for letter in text if letter != "\n")
    assert dots == int((pixels == 255).sum())
    corner = np.zeros((4, 2), dtype=np.uint8)
    corner[0, 0] = 1
    assert picture_text(corner) == "⠁"


def test_grey_pictures_appear_in_the_terminal():
    pixels = np.zeros((12, 28, 28), dtype=np.uint8)
    pixels[:, 5:20, 10:20] = 255
    text = image_grid("t", pixels, [f"digit {i}" for i in range(12)]).text
    assert "digit 9" in text
    assert "… 2 more pictures" in text
    assert max(map(len, text.split("\n"))) <= 80
