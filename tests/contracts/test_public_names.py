"""The public names: complete, sorted, resolvable, and importing them changes nothing."""

import ast
import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import torchclinic as tc

SOURCE = Path(tc.__file__).read_text(encoding="utf8")


def typed_imports() -> dict[str, str]:
    """What type checkers see: name -> module below torchclinic, from the TYPE_CHECKING block."""
    block = next(node for node in ast.parse(SOURCE).body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    for node in imports:
        assert all(alias.asname == alias.name for alias in node.names), "re-exported as itself"
    return {alias.name: (node.module or "").removeprefix("torchclinic.") for node in imports for alias in node.names}


def test_all_is_complete_and_sorted():
    assert tc.__all__ == ["__version__", *sorted(tc._HOME)]
    assert set(dir(tc)) >= set(tc.__all__)


def test_type_checkers_see_the_same_names_from_the_same_modules():
    assert typed_imports() == tc._HOME


@pytest.mark.parametrize("name", tc.__all__)
def test_every_public_name_resolves(name):
    assert getattr(tc, name) is not None


@pytest.mark.parametrize("name", sorted(tc._HOME))
def test_every_public_name_is_public_in_its_module(name):
    module = import_module(f"torchclinic.{tc._HOME[name]}")
    value = getattr(module, name)
    assert not name.startswith("_")
    assert (value.__doc__ or "").strip(), f"{name} has a docstring"


def test_no_public_name_is_shadowed_by_a_module():
    modules = {info.name for info in pkgutil.iter_modules(tc.__path__)}
    assert not modules & set(tc._HOME), "importing torchclinic.NAME would replace the function tc.NAME"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = tc.nonsense


def test_importing_changes_no_global_state():
    code = """
import os, sys, logging, warnings, random, signal, locale
import torch, numpy

def state():
    return (
        dict(os.environ), os.getcwd(), list(sys.path), sys.excepthook, sys.displayhook, sys.getrecursionlimit(),
        list(warnings.filters), logging.root.level, list(logging.root.handlers),
        sorted(logging.root.manager.loggerDict),
        random.getstate(), str(numpy.random.get_state()), torch.get_rng_state().tolist(), torch.get_num_threads(),
        torch.get_default_dtype(), torch.is_grad_enabled(), torch.are_deterministic_algorithms_enabled(),
        torch.get_float32_matmul_precision(), torch.nn.Module.__call__, torch.Tensor.backward,
        torch.optim.Optimizer.step, signal.getsignal(signal.SIGINT), locale.setlocale(locale.LC_ALL),
    )

before = state()
import torchclinic
changed = [index for index, (a, b) in enumerate(zip(before, state())) if a != b]
for name in torchclinic.__all__:
    getattr(torchclinic, name)
ours = set(sys.modules)
after = state()
changed += [index for index, (a, b) in enumerate(zip(before, after)) if a != b and index != 9]
# Loggers of libraries may appear; none of ours, and none is configured.
changed += [name for name in set(after[9]) - set(before[9]) if name.startswith("torchclinic")]
print(changed)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert result.stdout.strip() == "[]"
    assert result.stderr == ""
