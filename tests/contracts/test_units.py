"""Numbers as text."""

import math

import pytest

from torchclinic.units import format_column, format_nbytes, format_number, format_seconds, format_share


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567, "1,234,567"),
        (0.98765, "0.9877"),
        (12345.6, "12,346"),
        (1e-7, "1.000e-07"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (True, "True"),
        (None, "None"),
        ("text", "text"),
    ],
)
def test_format_number(value, text):
    assert format_number(value) == text


def test_format_number_with_more_digits():
    assert format_number(2.302585092994046, 8) == "2.3025851"
    assert format_number(12345.678, 7) == "12345.68"


def test_a_column_of_similar_numbers_lines_up():
    assert format_column([0.9346, 1.0, 0.97, None]) == ["0.9346", "1.0000", "0.9700", ""]
    assert format_column([3.0, 2.0]) == ["3", "2"]


def test_a_column_of_different_magnitudes_keeps_four_digits_each():
    assert format_column([0.001234, 123.4]) == ["0.001234", "123.4"]
    assert format_column([1e-9, 1.0, math.nan]) == ["1.000e-09", "1", "nan"]


def test_other_cells_of_a_column_are_written_as_they_are():
    assert format_column(["none", 5, True]) == ["none", "5", "True"]
    assert format_column([0.5, 0.25, math.inf, 7]) == ["0.50", "0.25", "inf", "7"]
    assert format_column([]) == []


def test_units_have_their_sizes():
    assert format_nbytes(1536) == "1.5 KiB"
    assert format_nbytes(12) == "12 B"
    assert format_nbytes(2**50) == "1024.0 TiB"
    assert format_seconds(0.0123) == "12.3 ms"
    assert format_seconds(75) == "1 min 15 s"
    assert format_seconds(7300) == "2 h 1 min"
    assert format_share(0.983) == "98.3 %"
