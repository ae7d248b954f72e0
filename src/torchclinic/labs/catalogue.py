"""The five labs in the order they are taught, and how one is run. Imports no torch until a lab runs."""

import ast
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

from torchclinic.errors import InputError
from torchclinic.labs.lab import Lab, Options
from torchclinic.report.model import Block, Section
from torchclinic.report.results import Report


@dataclass(frozen=True, slots=True)
class Entry:
    name: str
    title: str
    scripts: tuple[str, ...]  # modules of this package, run in order, each with `run(lab)`

    def question(self) -> str:
        """The first line of the first script's docstring: what the lab asks."""
        document = ast.get_docstring(ast.parse(script_path(self.scripts[0]).read_text(encoding="utf8"))) or ""
        return document.splitlines()[0]


ALL = (
    Entry("framework-basics-mnist", "Framework basics on MNIST", ("framework_basics_mnist",)),
    Entry("tensor-basics", "Tensor basics", ("tensor_basics", "tensor_bugs")),
    Entry(
        "initialization-relu",
        "Initialization and the dying ReLU",
        ("initialization_relu", "initialization_depth", "initialization_sweep", "initialization_dying"),
    ),
    Entry(
        "nn-architecture",
        "Modern architecture",
        ("nn_architecture", "production_classifier", "optimizer_race", "ablation"),
    ),
    Entry("cnn-mechanics", "CNN mechanics", ("manual_conv", "inspect_resnet")),
)


def available() -> tuple[Entry, ...]:
    return tuple(entry for entry in ALL if all(find_spec(f"torchclinic.labs.{name}") for name in entry.scripts))


def find(name: str) -> Entry:
    entries = {entry.name: entry for entry in available()}
    if name not in entries:
        raise InputError(f"There is no lab {name!r}; the labs are {', '.join(entries)}.")
    return entries[name]


def script_path(script: str) -> Path:
    return Path(__file__).with_name(f"{script}.py")


def run_all(entries: Sequence[Entry], options: Options, jobs: int) -> Iterator[tuple[Entry, Report]]:
    """Run several labs, `jobs` at a time, each in a process of its own with one thread; reports in the order given."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from zip(entries, pool.map(_run_single_threaded, entries, [options] * len(entries)), strict=True)


def _run_single_threaded(entry: Entry, options: Options) -> Report:
    import torch

    torch.set_num_threads(1)  # processes side by side would fight for the cores
    return run(entry, options)


def run(entry: Entry, options: Options, listen: Callable[[Section | Block], None] | None = None) -> Report:
    """Run the scripts of a lab in order; `listen` hears each section and block as it is made."""
    lab = Lab(entry.name, entry.title, options, listen)
    for script in entry.scripts:
        import_module(f"torchclinic.labs.{script}").run(lab)
    return lab.report()
