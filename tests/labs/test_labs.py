"""The labs: readable scripts of the public API, whose claims hold and whose failures are not hidden."""

import ast
import json
import re
from pathlib import Path

import pytest

from torchclinic.cli.main import main
from torchclinic.labs import catalogue
from torchclinic.labs.lab import Lab, Options
from torchclinic.report.results import Report

SCRIPTS = [(entry.name, script) for entry in catalogue.ALL for script in entry.scripts]
README = Path(__file__).parents[2] / "README.md"


def run_cli(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    return int(end.value.code or 0)


def test_all_five_labs_are_there():
    assert [entry.name for entry in catalogue.available()] == [
        "framework-basics-mnist",
        "tensor-basics",
        "initialization-relu",
        "nn-architecture",
        "cnn-mechanics",
    ]


@pytest.mark.parametrize(("lab", "script"), SCRIPTS)
def test_a_lab_script_is_short_and_opens_with_its_question_and_command(lab, script):
    source = catalogue.script_path(script).read_text(encoding="utf8")
    document = ast.get_docstring(ast.parse(source)) or ""
    assert source.count("\n") <= 150
    assert document.splitlines()[0].endswith("?")
    assert f"torchclinic lab {lab}" in document
    assert "Source" in document


@pytest.mark.parametrize(("lab", "script"), SCRIPTS)
def test_a_lab_script_uses_no_private_name_of_the_package(lab, script):
    tree = ast.parse(catalogue.script_path(script).read_text(encoding="utf8"))
    imported = [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("torchclinic")
        for alias in node.names
    ]
    assert imported
    assert not [name for name in imported if name.startswith("_")]


def test_readme_names_every_lab_with_its_title():
    text = README.read_text(encoding="utf8")
    for entry in catalogue.ALL:
        assert re.search(rf"\|[^|\n]*{re.escape(entry.title)}[^\n]*`{entry.name}`", text), entry.name


@pytest.mark.parametrize("name", ["framework-basics-mnist", "nn-architecture"])
def test_every_claim_of_the_lab_holds_on_the_embedded_images(name, tmp_path, monkeypatch):
    monkeypatch.delenv("TORCHCLINIC_DATA", raising=False)
    out = tmp_path / "out.json"
    code = run_cli("lab", name, "--fast", "--json", str(out), "--html", str(tmp_path / "out.html"))
    content = json.loads(out.read_text(encoding="utf8"))
    assert [claim["id"] for claim in content["claims"] if not claim["passed"]] == []
    assert code == 0
    assert content["schema"] == "torchclinic.report/1"
    assert f"{name}.accuracy" in {claim["id"] for claim in content["claims"]}
    assert (tmp_path / "out.html").stat().st_size < 500_000


def failing_report(entry, options, listen=None) -> Report:
    lab = Lab(entry.name, entry.title, options, listen)
    lab.claim("two", "One and one are three", predicted=3, measured=1 + 1)
    return lab.report()


def test_a_claim_that_fails_is_exit_code_1_and_in_the_file(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(catalogue, "run", failing_report)
    assert run_cli("lab", "tensor-basics", "--json", str(tmp_path / "out.json")) == 1
    (claim,) = json.loads((tmp_path / "out.json").read_text(encoding="utf8"))["claims"]
    assert (claim["id"], claim["predicted"], claim["measured"], claim["passed"]) == ("tensor-basics.two", 3, 2, False)
    assert "FAILED" in capsys.readouterr().out


def test_a_claim_cannot_be_stated_twice():
    lab = Lab("x", "X", Options())
    lab.claim("a", "A", predicted=1, measured=1)
    with pytest.raises(AssertionError, match="stated twice"):
        lab.claim("a", "A", predicted=1, measured=1)


def test_an_unknown_lab_is_one_sentence_that_names_the_labs(capsys):
    assert run_cli("lab", "no-such-lab") == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "nn-architecture" in error
