"""Claims that compute their verdict, and the JSON contract `torchclinic.report/1`."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from report_fixtures import documented_keys, full_report
from torchclinic.report.model import SCHEMA, Claim, Finding, NotChecked, Relation, Section, worst_severity
from torchclinic.report.results import Report

RELATIONS: tuple[Relation, ...] = ("==", "≈", "≥", "≤", ">", "<")
numbers = st.floats(-1e9, 1e9) | st.integers(-1000, 1000)
tolerances = st.floats(0, 1e9)


def holds(relation: Relation, predicted: object, measured: object, tolerance: float = 0.0) -> bool:
    return Claim("id", "statement", predicted, measured, relation, tolerance).passed


@pytest.mark.parametrize("relation", RELATIONS)
@settings(deadline=None)
@given(other=numbers, tolerance=tolerances | st.just(math.inf))
def test_nan_never_passes(relation, other, tolerance):
    assert not holds(relation, math.nan, other, tolerance)
    assert not holds(relation, other, math.nan, tolerance)
    assert not holds(relation, math.nan, math.nan, tolerance)


@settings(deadline=None)
@given(numbers)
def test_a_value_agrees_with_itself_except_strictly(value):
    assert [holds(relation, value, value) for relation in RELATIONS] == [True, True, True, True, False, False]


@settings(deadline=None)
@given(numbers, numbers, tolerances)
def test_approximately_is_at_least_and_at_most(predicted, measured, tolerance):
    both = holds("≥", predicted, measured, tolerance) and holds("≤", predicted, measured, tolerance)
    assert holds("≈", predicted, measured, tolerance) == both


@settings(deadline=None)
@given(numbers, numbers)
def test_without_slack_strict_and_weak_are_complements(predicted, measured):
    assert holds(">", predicted, measured) != holds("≤", predicted, measured)
    assert holds("<", predicted, measured) != holds("≥", predicted, measured)


@settings(deadline=None)
@given(numbers, numbers)
def test_swapping_the_values_swaps_the_relation(predicted, measured):
    assert holds("≥", predicted, measured) == holds("≤", measured, predicted)
    assert holds(">", predicted, measured) == holds("<", measured, predicted)


@settings(deadline=None)
@given(numbers, numbers, tolerances, tolerances, st.sampled_from(RELATIONS))
def test_more_tolerance_never_fails_a_claim(predicted, measured, tolerance, more, relation):
    assert holds(relation, predicted, measured, tolerance) <= holds(relation, predicted, measured, tolerance + more)


def test_measured_comes_first_in_an_inequality():
    assert holds("≥", 0.98, 0.981)
    assert not holds("≥", 0.98, 0.979)
    assert holds("≥", 0.98, 0.979, tolerance=0.002)


@pytest.mark.parametrize("relation", ["≈", "≥", "≤", ">", "<"])
def test_what_has_no_order_is_only_equal_or_not(relation):
    assert not holds(relation, "a", "a")
    assert not holds(relation, None, 0)
    assert holds("==", "a", "a")


def test_numpy_scalars_count_as_numbers():
    claim = Claim("id", "statement", np.float32(0.5), np.float64(0.5), "≈", 0.1)
    assert claim.passed is True
    assert Claim("id", "statement", True, np.bool_(True)).passed is True
    json.dumps(claim.to_dict())


def test_one_failing_claim_fails_the_report():
    good, bad = Claim("a", "", 1, 1), Claim("b", "", 1, 2)
    assert Report("title", (Section("s", (good,)),)).passed
    assert not Report("title", (Section("s", (good,)), Section("t", (bad,)))).passed


def test_only_an_error_among_findings_fails_the_report():
    finding = Finding("A001", "name", "warning", "message")
    assert Report("title", findings=(finding,)).passed
    assert not Report("title", findings=(finding, replace(finding, severity="error"))).passed
    assert worst_severity((finding, replace(finding, severity="info"))) == "warning"
    assert worst_severity(()) is None


def test_json_has_the_documented_keys():
    content = full_report().to_dict()
    assert content["schema"] == SCHEMA == "torchclinic.report/1"
    documented = documented_keys()
    assert set(content) - {"lab", "seconds"} == documented["report"]
    assert set(content["claims"][0]) == documented["claim"]
    assert set(content["findings"][0]) == documented["finding"]
    assert set(content["not_checked"][0]) == documented["not_checked"]


def test_json_survives_nan_and_infinity_anywhere():
    claim = Claim("a", "", math.inf, math.nan, "≈", math.inf)
    finding = Finding("A001", "n", "info", "m", evidence={"x": -math.inf})
    report = Report(
        "t",
        (Section("s", (claim,)),),
        (finding,),
        data={"curve": [(0, math.nan), {"deep": np.float32("inf")}]},
        environment={"x": math.nan},
    )
    content = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert content["claims"][0]["predicted"] == "inf"
    assert content["claims"][0]["tolerance"] == "inf"
    assert content["findings"][0]["evidence"] == {"x": "-inf"}
    assert content["curve"] == [[0, "nan"], {"deep": "inf"}]
    assert content["environment"] == {"x": "nan"}


def test_data_of_a_lab_stands_beside_the_fixed_keys():
    assert Report("t", data={"lab": "x"}).to_dict()["lab"] == "x"
    assert Report("t", not_checked=(NotChecked("C", "why"),)).to_dict()["not_checked"] == [{"code": "C", "reason": "why"}]
