"""The exercises: scripts of the benchmark of faults, each with its truth and one repaired version.

The scripts live in `benchmarks/faults`; a wheel carries them in `exercises/data`. Each runs from a bare install.
"""

import json
import random
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from torchclinic.errors import InputError
from torchclinic.rules.rule import Rule, discover

LEVELS = ("easy", "medium", "hard")
# name of the script -> level; the position is the exercise's number, so new ones go to the end
SCRIPTS = {
    "houses_mlp_05": "easy",
    "text_lstm_01": "easy",
    "tabular_binary_03": "easy",
    "tokens_transformer_03": "easy",
    "tags_multilabel_01": "easy",
    "houses_mlp_03": "easy",
    "tabular_binary_01": "easy",
    "houses_mlp_04": "easy",
    "seq_lstm_01": "medium",
    "houses_mlp_01": "medium",
    "houses_mlp_06": "medium",
    "text_bag_01": "medium",
    "waves_regression_01": "medium",
    "seq_gru_01": "medium",
    "tags_multilabel_03": "medium",
    "distill_mlp_01": "medium",
    "seq_lstm_02": "medium",
    "waves_regression_02": "medium",
    "tabular_binary_02": "medium",
    "houses_mlp_02": "medium",
    "seq_lstm_06": "hard",
    "chars_gru_01": "hard",
    "chars_gru_02": "hard",
    "text_attention_01": "hard",
    "points_metric_01": "hard",
    "tabular_columns_02": "hard",
    "tokens_transformer_01": "hard",
    "tokens_transformer_05": "hard",
}


@dataclass(frozen=True, slots=True)
class Exercise:
    number: int
    level: str
    script: str  # what the learner gets
    repaired: str  # one way to repair it
    code: str  # the fault
    acceptable: tuple[str, ...]  # other names of it, and its direct consequences

    @property
    def file_name(self) -> str:
        return f"exercise-{self.number:02}.py"


@cache
def exercises() -> tuple[Exercise, ...]:
    """Every exercise, in the order of the numbers."""
    folder = _folder()
    entries = {entry["file"]: entry for entry in json.loads((folder / "manifest.json").read_text("utf8"))["scripts"]}
    found = []
    for number, (name, level) in enumerate(SCRIPTS.items(), 1):
        entry = entries[f"sick/{name}.py"]
        script, repaired = ((folder / entry[key]).read_text("utf8") for key in ("file", "twin"))
        found.append(Exercise(number, level, script, repaired, entry["codes"][0], tuple(entry["acceptable"])))
    return tuple(found)


def _folder() -> Path:
    """Inside an installed package, or in the checkout that the package is run from."""
    packaged = Path(str(files("torchclinic.exercises"))) / "data"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[3] / "benchmarks" / "faults"


def find_exercise(number: str) -> Exercise:
    """
    Raises:
        InputError: there is no exercise of that number.
    """
    every = exercises()
    if number.isdecimal() and 1 <= int(number) <= len(every):
        return every[int(number) - 1]
    raise InputError(f"There is no exercise {number}: they are numbered 1 to {len(every)} (`torchclinic exercise list`).")


def choose_exercise(wanted: str, solved: Collection[int]) -> Exercise:
    """`next` is the first unsolved one, `random` any unsolved one; all count as unsolved once all are solved.

    Raises:
        InputError: there is no exercise of that number.
    """
    if wanted not in ("next", "random"):
        return find_exercise(wanted)
    open_ones = [exercise for exercise in exercises() if exercise.number not in solved] or list(exercises())
    return open_ones[0] if wanted == "next" else random.choice(open_ones)


def find_rule(name: str) -> Rule:
    """The rule of that code or name.

    Raises:
        InputError: there is none.
    """
    wanted = name.strip().lower()
    for module in discover():
        if wanted in (module.RULE.code.lower(), module.RULE.name):
            return module.RULE
    raise InputError(f"There is no rule {name!r}: give a code or a name that `torchclinic rules` lists.")


FAMILIES = {
    "WIR": "how parameters, optimizer and graph are wired together",
    "MOD": "train and eval mode, normalization, dropout",
    "LOS": "whether output, loss function and targets fit each other",
    "SHP": "shapes, broadcasting, memory layout, shared memory",
    "INI": "how the weights start",
    "ACT": "what the activations do",
    "GRA": "the size of the gradients",
    "OPT": "the optimizer and its schedule",
    "NUM": "numbers that cannot be computed",
    "DAT": "the data and the labels",
    "EVA": "evaluation, and what is kept between steps",
}


def hints(exercise: Exercise) -> tuple[tuple[str, str], ...]:
    """(heading, text) of each hint, from the area to the fix, out of the rule's document."""
    parts = find_rule(exercise.code).explanation.split("\n## ")
    sections = {head: body.strip() for head, _, body in (part.partition("\n") for part in parts[1:])}
    return (
        ("The area", f"Look at {FAMILIES[exercise.code[:3]]}."),
        ("What to look at", sections["Evidence"]),
        ("What it means", sections["What it means"]),
        ("The fix", sections["Fix"]),
    )
