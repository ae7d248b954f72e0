"""What `torchclinic lab --out` leaves in its folder."""

import json
from dataclasses import replace

import pytest

from report_fixtures import documented_keys, full_report
from torchclinic.cli.lab_pages import write_pages
from torchclinic.errors import InputError
from torchclinic.report.model import Claim, Section
from torchclinic.report.results import Report


@pytest.fixture
def reports() -> dict[str, Report]:
    good = Report("Tensor basics", (Section("s", (Claim("tensor-basics.a", "It holds", 1, 1),)),), data={"seconds": 2.0})
    return {"nn-architecture": replace(full_report(), findings=()), "tensor-basics": good}


def test_every_lab_has_a_page_and_a_place_in_the_overview(tmp_path, reports):
    write_pages(tmp_path / "lab", reports)
    names = {path.name for path in (tmp_path / "lab").iterdir()}
    assert names == {"index.html", "report.json", "nn-architecture.html", "tensor-basics.html"}
    overview = (tmp_path / "lab" / "index.html").read_text(encoding="utf8")
    for name, report in reports.items():
        assert f'href="{name}.html"' in overview
        assert report.title in overview
        assert all(f'href="{name}.html#claim-{claim.id}"' in overview for claim in report.claims)
    assert "3 of 5 claims hold, in 2 labs." in overview


def test_failed_claims_come_first_in_the_overview(tmp_path, reports):
    write_pages(tmp_path, reports)
    overview = (tmp_path / "index.html").read_text(encoding="utf8")
    assert overview.index("Accuracy of fc1") < overview.index("The first loss is log 10")
    assert overview.index("Nothing is NaN") < overview.index("<table")


def test_report_json_has_the_documented_keys_and_all_claims(tmp_path, reports):
    write_pages(tmp_path, reports)
    content = json.loads((tmp_path / "report.json").read_text(encoding="utf8"))
    documented = documented_keys()
    assert set(content) == documented["labs"]
    assert all(set(lab) == documented["lab"] for lab in content["labs"])
    assert content["schema"] == "torchclinic.report/1"
    assert [claim["id"] for claim in content["claims"]] == [c.id for report in reports.values() for c in report.claims]
    assert [(lab["name"], lab["claims"], lab["held"], lab["passed"]) for lab in content["labs"]] == [
        ("nn-architecture", 4, 2, False),
        ("tensor-basics", 1, 1, True),
    ]
    assert content["passed"] is False
    assert content["labs"][1]["seconds"] == 2.0


def test_all_good_labs_pass(tmp_path, reports):
    write_pages(tmp_path, {"tensor-basics": reports["tensor-basics"]})
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf8"))["passed"] is True
    assert "Failed" not in (tmp_path / "index.html").read_text(encoding="utf8")


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path, reports):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="Cannot write"):
        write_pages(tmp_path / "file", reports)
