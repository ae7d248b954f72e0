"""Imports go downwards only, and torch is loaded only where it is used."""

import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

import torchclinic

ROOT = Path(__file__).parents[2]


def python(code: str) -> str:
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return result.stdout.strip()


def test_the_layers_of_pyproject_are_kept(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    code = lint_imports(no_cache=True)
    assert code == 0, capsys.readouterr().out


HEAVY = ("torch", "numpy", "rich", "jinja2", "PIL")


@pytest.mark.parametrize(
    "code",
    [
        "import torchclinic",
        "import torchclinic.cli.main",
        "import torchclinic; torchclinic.Claim; torchclinic.Report; dir(torchclinic)",
        "from torchclinic.labs import catalogue; catalogue.available()",
    ],
)
def test_importing_is_light(code):
    loaded = python(f"import sys\n{code}\nprint(*[name for name in {HEAVY} if name in sys.modules])")
    assert loaded == "", f"{code} imports {loaded}"


def test_the_report_package_never_imports_torch():
    modules = ["text", "html", "figures", "drawing", "wording"]
    code = "import sys\n" + "".join(f"import torchclinic.report.{name}\n" for name in modules)
    assert python(code + "print('torch' in sys.modules)") == "False"


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["lab", "--help"]])
def test_help_does_not_import_torch(arguments):
    code = (
        f"import sys\nfrom torchclinic.cli.main import main\ntry:\n    main({arguments})\n"
        "except SystemExit as end:\n    assert end.code == 0\nprint('torch' in sys.modules)"
    )
    assert python(code).endswith("False")


def test_every_module_has_a_layer():
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["tool"]["importlinter"]["contracts"][0]
    named = re.findall(r"torchclinic\.(\w+)", " ".join(contract["layers"]))
    modules = {info.name for info in pkgutil.iter_modules(torchclinic.__path__)} - {"__main__", "_version"}
    assert modules <= set(named), "a module outside the layers may import anything"
    assert len(named) == len(set(named))
