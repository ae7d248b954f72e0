"""What is tried within a time budget: which changes, at how many seeds, for how long."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torchclinic.replay.change import Change, candidates, remedies
from torchclinic.replay.trial import Trial
from torchclinic.replay.verdicts import LEAST_SEEDS
from torchclinic.report.model import Finding

SEEDS = 5
MOST_CHANGES = 3
LEAST_BACKWARDS = 20
SLACK = 0.8  # of the time, as two replays side by side are slower than one alone


@dataclass(frozen=True, slots=True)
class Attempt:
    """A change, and the finding it is tried for (empty: a cause nobody has named)."""

    code: str
    change: type[Change]


@dataclass(frozen=True, slots=True)
class Plan:
    """`backwards`: how many backward passes each replay runs; None = to its end."""

    attempts: tuple[Attempt, ...]
    seeds: int
    backwards: int | None
    left_out: tuple[str, ...] = ()


def choose_attempts(findings: Sequence[Finding]) -> tuple[list[Attempt], list[str]]:
    """The remedies of the findings in their order, one attempt per change; what exceeds `MOST_CHANGES` is named.

    Where no finding has a remedy of its own, the candidates for its possible causes.
    """
    alarms = [finding.code for finding in findings if finding.severity != "info"]
    wanted = [Attempt(code, kind) for code in alarms for kind in remedies(code)]
    wanted = wanted or [Attempt(code, kind) for code in alarms for kind in candidates(code)]
    if alarms and not wanted:
        wanted = [Attempt("", kind) for kind in candidates("")]
    unique = list({attempt.change: attempt for attempt in reversed(wanted)}.values())[::-1]
    left_out = [f"{a.change.name} for {a.code}: at most {MOST_CHANGES} changes are tried" for a in unique[MOST_CHANGES:]]
    return unique[:MOST_CHANGES], left_out


def make_plan(attempts: Sequence[Attempt], first: Trial, seconds: float, width: int) -> Plan | str:
    """Split `seconds` on `width` cores, given one replay `first` of the script as it is; a sentence if it cannot be done.

    First the replays are shortened, then there is one seed less, then fewer changes.
    """
    if first.backwards == 0:
        return f"The replay never ran a backward pass{': ' + first.note if first.note else ''}; nothing can be compared."
    each = (first.seconds - first.first_seconds) / first.backwards
    for count, seeds in _sizes(len(attempts)):
        rounds = math.ceil((seeds * (count + 1) - 1) / width)
        share = SLACK * seconds / rounds
        fit = int((share - first.first_seconds) / each) if each > 0 else first.backwards
        complete = first.ending != "time" and fit >= first.backwards
        if complete or fit >= max(LEAST_BACKWARDS, min(200, first.backwards // 3)):
            left_out = [f"{a.change.name} for {a.code}: no time" for a in attempts[count:]]
            return Plan(tuple(attempts[:count]), seeds, None if complete else fit, tuple(left_out))
    return (
        f"A replay takes {first.first_seconds:.1f} s before its first backward pass and {each:.2g} s for each; "
        f"{seconds:.0f} s do not suffice for {LEAST_SEEDS} seeds with and without a change."
    )


def _sizes(most: int) -> Iterator[tuple[int, int]]:
    """Numbers of changes and of seeds, the best first: three seeds only if even one change cannot have more."""
    for choices in (range(SEEDS, LEAST_SEEDS, -1), (LEAST_SEEDS,)):
        for count in range(most, 0, -1):
            yield from ((count, seeds) for seeds in choices)
