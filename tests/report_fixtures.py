"""A report that holds one of everything, and text that tries to break out of it; the keys that the format's document names."""

import math
from pathlib import Path

import numpy as np

from torchclinic.report.figures import bar_chart, heat_map, histogram, image_grid, line_chart, signed_pixels
from torchclinic.report.model import Claim, Code, Finding, NotChecked, Prose, Section, Steps, Table
from torchclinic.report.results import Figure, Report

FORMAT = Path(__file__).parents[1] / "docs" / "report-format.md"
HOSTILE = "<script>alert(1)</script></style>\"'><img src=x onerror=alert(2)>{{ 7*7 }}[bold]\x1b[31m\x00"


def figures(name: str = "fc1") -> tuple[Figure, ...]:
    loss = {"train": [(step, math.exp(-step / 40)) for step in range(100)], name: [(0, 1.0), (50, math.nan), (99, 0.1)]}
    pixels = np.arange(5 * 6 * 6, dtype=np.uint8).reshape(5, 6, 6)
    return (
        line_chart("Loss by step", loss, "step", "loss", log_y=True, levels={"log 2": math.log(2)}),
        bar_chart("Gradient norms", ["conv1", name], {"SGD": [0.5, None], "Adam": [math.inf, -2.0]}, "norm"),
        heat_map("Confusion matrix", ["a", name], ["a", "b"], [[9, 1], [None, 8]], row_label="true"),
        histogram("Activations", {name: [0.0, 0.1, 0.2, 1.0, math.nan]}, "value", bins=10),
        image_grid("Weights", signed_pixels(pixels), [f"{name} {i}" for i in range(5)], columns=3),
    )


def steps(name: str = "window") -> Steps:
    return Steps(f"The {name} slides", tuple(heat_map(f"Step {i}", ["a", "b"], ["c"], [[i], [0]]) for i in range(1, 4)))


def full_report(name: str = "fc1") -> Report:
    """Every kind of block; `name` stands wherever a stranger's text may."""
    claims = (
        Claim("sample.loss", "The first loss is log 10", math.log(10), 2.31, "≈", 0.05, "nats", "He 2015, eq. 10", "n = 5"),
        Claim("sample.accuracy", f"Accuracy of {name}", 0.98, 0.97996, "≥"),
        Claim("sample.nan", "Nothing is NaN", 0.0, math.nan, "≤", 1e-6),
        Claim("sample.copies", "No copy is made", False, False, source=name, note=name),
    )
    prose = Prose(f"Layer {name} holds `weight` and `bias`.\n\nA second paragraph.")
    table = Table((name, "mean", "comment"), tuple((f"row {i}", i / 7, name) for i in range(30)), f"Table of {name}")
    first = Finding(
        "WIR001",
        "missing-zero-grad",
        "error",
        f"{name} is already non-zero",
        where=name,
        line=f"{name}.py:12",
        step=3,
        evidence={"norm": 1.25, name: math.inf},
        fix=f"Call `zero_grad()` on {name}.",
        rank=1,
    )
    second = Finding("ACT001", "dead-relu", "warning", "12 of 100 units are silent", rank=2, causes=("WIR001",))
    return Report(
        title=f"Report on {name}",
        sections=(
            Section("Claims", (prose, *claims)),
            Section(f"Tables of {name}", (table, Code(f"x = model({name})\nloss.backward()", f"Listing of {name}"))),
            Section("Figures", (*figures(name), steps(name))),
        ),
        findings=(first, second),
        checked=("sample.loss", name),
        not_checked=(NotChecked("MOD003", f"no second batch for {name}"),),
        summary=f"A summary of {name}.",
        data={"lab": "sample", "seconds": 1.5},
        environment={"torch": "2.13.0", "host": name},
    )


def documented_keys() -> dict[str, set[str]]:
    """The first column of the tables of docs/report-format.md, by the name in their heading's backticks."""
    keys: dict[str, set[str]] = {}
    for line in FORMAT.read_text(encoding="utf8").splitlines():
        if line.startswith("## "):
            name = line.split("`")[1] if "`" in line else ""
            keys[name] = set()
        elif line.startswith("| `"):
            keys[name].add(line.split("`")[1])
    return keys
