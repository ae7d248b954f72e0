"""The scripts of the benchmark of faults, which belong to no package, as modules."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

FAULTS = Path(__file__).resolve().parents[1] / "benchmarks" / "faults"


def load(name: str) -> ModuleType:
    """`benchmarks/faults/<name>.py`."""
    spec = importlib.util.spec_from_file_location(f"faults_{name}", FAULTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
