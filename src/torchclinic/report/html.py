"""A report as one self-contained page (no network, strict content security policy) or as a fragment for a notebook.

Everything is escaped by the templates; the only markup that passes is `Figure.svg`, which `Drawing` has escaped.
"""

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from torchclinic.report import wording
from torchclinic.report.model import PlainFigure, PlainReport, Section, Table, Value
from torchclinic.units import format_column, format_number

ASSETS = Path(__file__).with_name("assets")
MOST_ROWS = 200  # of a table on a page: a page stays under 500 KB; the text says how many rows are left out
SEVERITY_WORDS = {"error": "Error", "warning": "Warning", "info": "Info"}
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def report_page(report: PlainReport, home: str = "", question: str = "") -> str:
    """A complete HTML document. `home` is the address of an overview page to link to."""
    return render_page("report.html.j2", report=report, home=home, question=question)


def report_fragment(report: PlainReport) -> str:
    """The report for a notebook's output cell: takes the notebook's colours, needs no other file."""
    return _clean(_templates().get_template("fragment.html.j2").render(report=report, css=_asset("content.css")))


def section_fragment(section: Section) -> str:
    """One section for a notebook's output cell, without the verdict of a report."""
    template = _templates().get_template("section_fragment.html.j2")
    return _clean(template.render(section=section, css=_asset("content.css")))


def figure_fragment(figure: PlainFigure) -> str:
    return _block_fragment(figure)


def table_fragment(table: Table) -> str:
    return _block_fragment(table)


def render_page(template: str, **content: Any) -> str:
    """A template of `assets/` as a page that carries its style and script, and the policy that allows only those."""
    css = _asset("content.css") + _asset("page.css")
    script = _asset("page.js")
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(css)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return _clean(_templates().get_template(template).render(css=css, script=script, policy=policy, **content))


def _block_fragment(block: PlainFigure | Table) -> str:
    template = _templates().get_template("block_fragment.html.j2")
    return _clean(template.render(block=block, css=_asset("content.css")))


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(ASSETS), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"prose": _prose, "inline": _inline, "cells": _cells, "number": _number, "anchor": _anchor, "svg": _svg}
    environment.tests["numeric"] = _is_numeric
    environment.globals |= {
        "wording": wording,
        "most_rows": MOST_ROWS,
        "severity_words": SEVERITY_WORDS,
        "kind": lambda block: type(block).__name__,
    }
    return environment


@cache
def _asset(name: str) -> Markup:
    """Our own style or script: goes into the page as it is."""
    return Markup((ASSETS / name).read_text(encoding="utf8"))


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _prose(text: str) -> Markup:
    """Paragraphs, and `backticks` as code."""
    return Markup("".join(f"<p>{_inline(part)}</p>" for part in text.split("\n\n") if part.strip()))


def _inline(text: str) -> Markup:
    """Escaped text with `backticks` as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _cells(table: Table) -> list[tuple[str, ...]]:
    """The rows that a page shows, as text."""
    columns = [format_column(column) for column in zip(*table.rows[:MOST_ROWS], strict=True)]
    return list(zip(*columns, strict=True))


def _svg(figure: PlainFigure) -> Markup:
    return Markup(figure.svg)


def _number(value: Value) -> str:
    return "" if value is None else format_number(value)


def _is_numeric(column: tuple[Value, ...]) -> bool:
    return bool(column) and all(cell is None or isinstance(cell, int | float) for cell in column)


def _anchor(claim_id: str) -> str:
    return "claim-" + re.sub(r"[^A-Za-z0-9._-]+", "-", claim_id)


def _clean(html: str) -> str:
    """What no HTML document may hold (control characters, lone surrogates) becomes the replacement character."""
    return _UNPRINTABLE.sub("\ufffd", html)
