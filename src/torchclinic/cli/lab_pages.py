"""The pages of a run of the labs: `index.html` (overview), one page per lab, and `report.json` (all claims)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torchclinic.cli.output import write_json, write_text
from torchclinic.labs import catalogue
from torchclinic.report.html import render_page, report_page
from torchclinic.report.results import Report

HOME = "index.html"


@dataclass(frozen=True, slots=True)
class _LabPage:
    name: str
    question: str
    report: Report

    @property
    def page(self) -> str:
        return f"{self.name}.html"


def write_pages(out: Path, reports: dict[str, Report]) -> None:
    """Write the overview, a page per lab and the JSON of all claims into the folder `out`."""
    labs = _pages(reports)
    for lab in labs:
        write_text(out / lab.page, report_page(lab.report, home=HOME, question=lab.question))
    write_text(out / HOME, _overview(labs))
    write_json(out / "report.json", _summary(labs))


def write_overview(reports: dict[str, Report], json_file: Path | None, html_file: Path | None) -> None:
    """Write the claims of all labs as one JSON file, and the overview as one page."""
    if json_file is not None:
        write_json(json_file, _summary(_pages(reports)))
    if html_file is not None:
        write_text(html_file, _overview(_pages(reports)))


def _pages(reports: dict[str, Report]) -> list[_LabPage]:
    questions = {entry.name: entry.question() for entry in catalogue.available()}
    return [_LabPage(name, questions.get(name, ""), report) for name, report in reports.items()]


def _overview(labs: list[_LabPage]) -> str:
    failed = [(lab, claim) for lab in labs for claim in lab.report.claims if not claim.passed]
    claims = sum(len(lab.report.claims) for lab in labs)
    return render_page(
        "labs.html.j2",
        labs=labs,
        failed=failed,
        passed=all(lab.report.passed for lab in labs),
        verdict=f"{claims - len(failed)} of {claims} claims hold, in {len(labs)} labs.",
    )


def _summary(labs: list[_LabPage]) -> dict[str, Any]:
    contents = {lab.name: lab.report.to_dict() for lab in labs}
    return {
        "passed": all(lab.report.passed for lab in labs),
        **{
            key: [item for content in contents.values() for item in content[key]]
            for key in ("findings", "claims", "checked", "not_checked")
        },
        "labs": [
            {
                "name": lab.name,
                "title": lab.report.title,
                "question": lab.question,
                "page": lab.page,
                "passed": lab.report.passed,
                "claims": len(lab.report.claims),
                "held": sum(claim.passed for claim in lab.report.claims),
                "findings": contents[lab.name]["findings"],
                "not_checked": contents[lab.name]["not_checked"],
                "seconds": contents[lab.name].get("seconds"),
                "environment": contents[lab.name]["environment"],
            }
            for lab in labs
        ],
    }
