"""One vocabulary: every name is one of torch's, and a set of names stands in it or is made of it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import torchclinic
from torchclinic import vocabulary

PACKAGE = Path(torchclinic.__file__).parent
SETS = {name: value for name, value in vars(vocabulary).items() if name.isupper() and isinstance(value, frozenset | tuple)}
HOMES = (torch, torch.Tensor, torch.nn, torch.nn.functional, torch.linalg, torch.special)
SPELLED = {"setitem": "__setitem__", "getitem": "__getitem__", "array": "__array__", "linalg_vector_norm": "vector_norm"}
ELSEWHERE = {"Lion", "Muon"}  # optimizers of other packages, or of newer versions of torch
NAMES = frozenset().union(*SETS.values())
LEAST_MENTIONS = 3  # where it is defined, imported and used
MOST = 2  # names of the vocabulary in one literal outside it
PRIVATE = {
    "instruments/field_rules.py": "names of the dispatcher",
    "instruments/tracing.py": "names of the dispatcher",
    "rules/drift.py": "roles of layers",
    "error_notes/kinds/err001_matrix_product.py": "what makes a tensor of given sizes",
    "error_notes/kinds/err030_broadcast_sizes.py": "what makes a tensor of given sizes",
    "error_notes/trial.py": "what may be executed again without harm",
    "error_notes/lookup.py": "methods that may be called again without harm",
    "instruments/signal_operations.py": "what theory can follow",
    "replay/origins.py": "what a value is followed through",
    "observe/taps/calls.py": "attributes that matter",
    "observe/collectors/losses/clamps.py": "what leads from an error to a loss",
    "observe/collectors/losses/likelihoods.py": "guards against zero",
    "observe/collectors/training/drawing.py": "what leads from a draw to a loss",
    "observe/collectors/training/numerics.py": "what masks an infinity",
    "observe/collectors/training/retained.py": "what leads from a sum to a loss",
    "observe/statistics/sampler.py": "what may follow a layer whose units are looked at",
    "rules/ini006_gain_mismatch.py": "activations whose factors multiply up, or down",
    "rules/los003_bounded_logits.py": "what cuts off one side",
    "rules/shp001_loss_broadcast.py": "losses that broadcast",
}


@pytest.mark.parametrize("name", SETS)
def test_every_name_exists_in_torch(name: str) -> None:
    homes = (torch.optim,) if name.endswith("OPTIMIZERS") else HOMES
    missing = {word for word in SETS[name] if not any(hasattr(home, SPELLED.get(word, word)) for home in homes)}
    assert missing <= ELSEWHERE


def test_sets_of_one_name_are_no_two_things() -> None:
    assert len({frozenset(value) for value in SETS.values()}) == len(SETS)


def test_every_set_is_in_use() -> None:
    text = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    assert [name for name in SETS if len(re.findall(rf"\b{name}\b", text)) < LEAST_MENTIONS] == []


def literals(tree: ast.AST) -> Iterator[tuple[int, frozenset[object]]]:
    """Sets, lists and tuples, and strings that are split into words, with their lines."""
    for node in ast.walk(tree):
        match node:
            case ast.Set(elts=items) | ast.List(elts=items) | ast.Tuple(elts=items):
                yield node.lineno, frozenset(item.value for item in items if isinstance(item, ast.Constant))
            case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(words)), attr="split")):
                yield node.lineno, frozenset(words.split())


def written_again(tree: ast.AST) -> list[str]:
    """Literals that hold several names of the vocabulary. A table of what to do for each name is none."""
    return [f"line {line}: {sorted(words & NAMES)}" for line, words in literals(tree) if len(words & NAMES) > MOST]


def test_no_module_writes_a_set_of_the_vocabulary_again() -> None:
    again = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        if place != "vocabulary.py" and (found := written_again(ast.parse(path.read_text()))):
            again[place] = found
    assert {place: found for place, found in again.items() if place not in PRIVATE} == {}
    assert PRIVATE.keys() <= again.keys()  # an allowance that nobody needs goes


def test_a_set_that_is_written_again_is_seen() -> None:
    assert written_again(ast.parse('x = {"mse_loss", "l1_loss", "huber_loss", "more"}'))
    assert written_again(ast.parse('x = frozenset("mse_loss l1_loss huber_loss".split())'))
    assert written_again(ast.parse('x = y in ("add", "sub", "mul")'))
    assert not written_again(ast.parse('x = REGRESSION_LOSSES | {"more"}'))
