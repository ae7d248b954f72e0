"""The HTML page: self-contained, strict policy, everything escaped, nothing left out."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from report_fixtures import HOSTILE, figures, full_report, steps
from torchclinic.report.html import MOST_ROWS, figure_fragment, report_fragment, report_page, table_fragment
from torchclinic.report.model import Claim, Finding, NotChecked, Section, Table
from torchclinic.report.results import Report


class Page(HTMLParser):
    """The elements of a document in order, with their attributes, and all text outside of style and script."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.code: dict[str, str] = {"style": "", "script": ""}
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._inside = tag if tag in self.code else ""

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside:
            self.code[self._inside] += data
        else:
            self.text += data

    @property
    def tags(self) -> list[str]:
        return [tag for tag, _ in self.elements]


def digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@settings(max_examples=25, deadline=None)
@given(st.text(st.characters(exclude_characters="`\n"), max_size=30))
def test_no_text_changes_the_structure_of_the_page(text):
    harmless = "x" * (1 + len(text))  # as long, so that charts leave the same room for labels
    assert Page(report_page(full_report("x" + text))).tags == Page(report_page(full_report(harmless))).tags


@pytest.mark.parametrize("render", [report_page, report_fragment])
def test_a_hostile_name_stays_text(render):
    page = Page(render(full_report(HOSTILE)))
    assert page.tags == Page(render(full_report("x" * len(HOSTILE)))).tags
    assert "<script>alert(1)</script></style>" in page.text
    assert "{{ 7*7 }}" in page.text


def test_the_policy_allows_exactly_the_style_and_script_of_the_page():
    page = Page(report_page(full_report()))
    policy = next(a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": f"'sha256-{digest(page.code['style'])}'",
        "script-src": f"'sha256-{digest(page.code['script'])}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert page.tags.count("style") == page.tags.count("script") == 1


def test_no_style_attribute_no_handler_no_address():
    for tag, attributes in Page(report_page(full_report(HOSTILE))).elements:
        assert "style" not in attributes, tag
        assert not any(name.startswith("on") for name in attributes), tag
        for name in ("src", "href"):
            assert re.match(r"#|data:image/png;base64,|$", attributes.get(name) or ""), (tag, attributes)


def test_fragments_bring_no_script():
    for fragment in (report_fragment(full_report()), figure_fragment(figures()[0]), table_fragment(Table(("a",), ((1,),)))):
        assert "script" not in Page(fragment).tags
        assert fragment.lstrip().startswith('<div class="torchclinic">')
    assert full_report()._repr_html_() == report_fragment(full_report())
    assert figures()[0]._repr_html_() == figure_fragment(figures()[0])


def test_headings_go_down_one_level_at_a_time():
    levels = [int(tag[1]) for tag in Page(report_page(full_report())).tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_link_within_the_page_has_its_target():
    page = Page(report_page(full_report(HOSTILE)))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for tag, a in page.elements if tag == "a"} <= set(ids)


def test_tables_have_captions_and_scopes():
    page = Page(report_page(full_report()))
    assert all(attributes.get("scope") in {"row", "col"} for tag, attributes in page.elements if tag == "th")
    html = table_fragment(Table(("a", "b"), ((1, 2),), "What it shows"))
    assert "<caption>What it shows</caption>" in html


def test_the_verdict_and_the_failed_claims_come_before_the_sections():
    text = Page(report_page(full_report())).text
    order = ["2 of 4 claims hold, 2 failed.", "WIR001", "Accuracy of fc1", "MOD003", "Layer fc1 holds"]
    places = [text.index(part) for part in order]
    assert places == sorted(places)


def test_the_three_lists_are_never_left_out():
    text = Page(report_page(Report("Nothing"))).text
    for title in ("Found", "Could not be checked", "Checked and found fine"):
        assert re.search(rf"{title} 0\s+Nothing\.", text)


def test_a_finding_shows_all_that_is_known():
    finding = Finding("WIR001", "n", "error", "msg", "fc1", "a.py:3", 7, {"norm": 2.5}, "do `x`", 1, ("WIR002",))
    text = Page(report_page(Report("t", findings=(finding,)))).text
    for part in ("Error", "WIR001", "first cause", "fc1 · a.py:3 · step 7", "msg", "norm2.5", "fixdo x", "follows fromWIR002"):
        assert part in text, part


def test_what_a_page_leaves_out_it_says():
    table = Table(("i",), tuple((i,) for i in range(MOST_ROWS + 7)))
    assert "7 more rows are not shown" in report_page(Report("t", (Section("s", (table,)),)))
    assert "7 more rows" not in report_page(Report("t", not_checked=(NotChecked("a", "b"),)))


def test_lone_surrogates_and_control_characters_do_not_reach_the_file():
    page = report_page(Report("a\udc80b\x00c", (Section("s", (Claim("i", "\x1b", "\ud800", 1),)),)))
    page.encode("utf8")
    assert "\x00" not in page
    assert "\x1b" not in page


def test_without_script_every_step_is_there():
    block = steps()
    page = report_page(Report("t", (Section("s", (block,)),)))
    assert page.count('class="tc-step"') == len(block.figures)
    assert all(figure.svg in page for figure in block.figures)


def test_a_full_report_stays_under_500_kilobytes():
    assert len(report_page(full_report()).encode()) < 500_000
