"""One vocabulary: every name is one of torch's, and a set of names stands in it or is made of it."""

import ast
from pathlib import Path

import pytest
import torch

import torchclinic
from torchclinic import vocabulary

PACKAGE = Path(torchclinic.__file__).parent
SETS = {name: value for name, value in vars(vocabulary).items() if name.isupper() and isinstance(value, frozenset | tuple)}
HOMES = (torch, torch.Tensor, torch.nn.functional, torch.linalg, torch.special, torch.optim)
SPELLED = {
    "setitem": "__setitem__",
    "getitem": "__getitem__",
    "array": "__array__",
    "linalg_vector_norm": "norm",
}  # as modes see them
LEAST = 4  # names by which two sets are alike
PRIVATE = {  # tables of what to do for each name, and dispatcher names: no words for one thing
    "checkpoints/dtypes.py",
    "checkpoints/values.py",
    "instruments/field_rules.py",
    "instruments/tracing.py",
    "replay/scores.py",
    "theory/activations.py",
    "rules/los003_bounded_logits.py",
    "rules/los007_output_range_excludes_targets.py",
}


@pytest.mark.parametrize("name", SETS)
def test_every_name_exists_in_torch(name: str) -> None:
    beginnings = vars(torch.optim)
    for word in SETS[name]:
        known = any(hasattr(home, SPELLED.get(word, word)) for home in HOMES)
        assert known or any(other.startswith(word) for other in beginnings) or word in ("Lion", "Muon"), word


def test_sets_of_one_name_are_no_two_things() -> None:
    assert len({frozenset(value) for value in SETS.values()}) == len(SETS)


def literals(tree: ast.AST) -> list[tuple[int, frozenset[str]]]:
    """Sets, lists and tuples of strings, and strings of several words, with their lines."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Set | ast.List | ast.Tuple):
            if all(isinstance(item, ast.Constant) and isinstance(item.value, str) for item in node.elts):
                found.append((node.lineno, frozenset(item.value for item in node.elts)))  # type: ignore[attr-defined]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append((node.lineno, frozenset(node.value.split())))
    return found


def written_again(tree: ast.AST) -> list[str]:
    """Literals that hold a whole set of the vocabulary."""
    whole = {name: value for name, value in SETS.items() if len(value) >= LEAST}
    return [f"line {line}: {name}" for line, words in literals(tree) for name, value in whole.items() if frozenset(value) <= words]


def test_no_module_writes_a_set_of_the_vocabulary_again() -> None:
    again = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        if place != "vocabulary.py" and place not in PRIVATE and (found := written_again(ast.parse(path.read_text()))):
            again[place] = found
    assert again == {}


def test_a_set_that_is_written_again_is_seen() -> None:
    assert written_again(ast.parse('x = {"mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss", "more"}'))
    assert not written_again(ast.parse('x = REGRESSION_LOSSES | {"more"}'))
