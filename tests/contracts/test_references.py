"""Every formula says where it comes from: a paper that can be found, and the place in it or the derivation."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import torchclinic
from torchclinic import theory

FOUND_BY = re.compile(r"arXiv:\d{4}\.\d{4,5}|doi:10\.\d{4,}/\S+|PMLR \d+")
PLACE = re.compile(r"\b(eq\.|section|theorem|algorithm|length map|correlation map|failure mode|derived)", re.IGNORECASE)
NOT_FORMULAS = {"is_activation", "is_transposed", "derivative"}  # predicates, and autograd
PAGE = Path(__file__).parents[2] / "docs" / "references.md"
SOURCES = Path(torchclinic.__file__).parent


def formulas() -> dict[str, str]:
    """Docstrings of the public functions of `torchclinic.theory`."""
    found = {}
    for info in pkgutil.iter_modules(theory.__path__):
        module = importlib.import_module(f"torchclinic.theory.{info.name}")
        for name, value in vars(module).items():
            if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_"):
                found[f"{info.name}.{name}"] = inspect.getdoc(value) or ""
    return {name: text for name, text in found.items() if name.split(".")[1] not in NOT_FORMULAS}


def lacks(text: str) -> list[str]:
    """What a docstring lacks of a reference."""
    return [what for what, pattern in (("a paper", FOUND_BY), ("a place in it", PLACE)) if not pattern.search(text)]


def test_every_public_function_of_theory_names_a_paper_and_the_place_in_it():
    assert len(formulas()) > 25
    assert {name: lacks(text) for name, text in formulas().items() if lacks(text)} == {}


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("q' = E[φ²]. Reference: Poole et al. 2016, eq. 3.", ["a paper"]),
        ("Reference: He et al. 2015, arXiv:1502.01852.", ["a place in it"]),
        ("", ["a paper", "a place in it"]),
        ("Reference: He et al. 2015, arXiv:1502.01852, eq. 10.", []),
    ],
)
def test_a_reference_without_a_paper_or_a_place_is_noticed(text, missing):
    assert lacks(text) == missing


def test_the_page_of_references_lists_every_paper_that_the_sources_cite_and_no_other():
    cited = {found for path in SOURCES.rglob("*.py") for found in re.findall(r"arXiv:\d{4}\.\d{4,5}", path.read_text())}
    assert set(re.findall(r"arXiv:\d{4}\.\d{4,5}", PAGE.read_text())) == cited
