"""Grades a diagnosis and a repaired script by what both scripts do when they run, not by how they are written.

Three runs are compared: the script as it was handed out, the learner's version, and the repair that the exercise brings
along. Every statement is a claim with the numbers it rests on; any change that makes them all true is accepted.
"""

import ast
import math
import statistics
from dataclasses import dataclass

from torchclinic.errors import InputError
from torchclinic.exercises.catalogue import Exercise, find_rule
from torchclinic.exercises.observation import Observation, observe
from torchclinic.report.figures import line_chart
from torchclinic.report.model import Block, Claim, Prose, Section
from torchclinic.report.results import Report
from torchclinic.rules.rule import Rule
from torchclinic.units import format_number

TAIL = 0.1  # share of the backward passes whose mean loss is the result
HEAD = 0.02  # ... and the beginning
SLACK = 0.25  # a result may be this much worse than that of the repair the exercise brings
FALL = 0.8  # or the loss falls by this share of the repair's fall, where its scale is another
SAME_WORK = 0.5  # of the numbers the repair feeds to the model


@dataclass(frozen=True, slots=True)
class Grade:
    report: Report
    diagnosis: str  # right | acceptable | symptom | wrong
    solved: bool


def grade(exercise: Exercise, diagnosis: str, source: str) -> Grade:
    """`diagnosis` is a rule's code or name, `source` the learner's script. An unchanged script is not run.

    Raises:
        InputError: there is no such rule; the script is empty, is not Python, or has no end.
    """
    rule = find_rule(diagnosis)
    tree = _parse(source, exercise.file_name)
    unchanged = ast.dump(tree) == ast.dump(ast.parse(exercise.script))
    sources = {"original": exercise.script}
    if not unchanged:
        sources |= {"repaired": source, "reference": exercise.repaired}
    seen = observe(sources)
    answer = grade_diagnosis(exercise, rule, seen["original"])
    sections = [_diagnosis_section(rule, answer, seen["original"])]
    if unchanged:
        sections.append(
            Section("The repaired script", (Prose(f"{exercise.file_name} is still as it was handed out: not repaired."),))
        )
    else:
        known = answer in ("right", "acceptable")
        sections.append(_repair_section(exercise, seen["original"], seen["repaired"], seen["reference"], named=known))
    repaired = not unchanged and all(block.passed for block in sections[1].blocks if isinstance(block, Claim))
    solved = repaired and answer in ("right", "acceptable")
    summary = "Solved." if solved else _what_is_left(answer, repaired)
    return Grade(Report(f"Exercise {exercise.number}", tuple(sections), summary=summary), answer, solved)


def _parse(source: str, name: str) -> ast.Module:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        place = f" on line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise InputError(f"The repaired {name} is not Python: {str(error).splitlines()[0]}{place}.") from error
    if not any(not isinstance(node, ast.Expr | ast.Import | ast.ImportFrom | ast.Pass) for node in tree.body):
        raise InputError(f"The repaired {name} is empty: it has to train the same model on the same data.")
    return tree


def _what_is_left(answer: str, repaired: bool) -> str:
    left = [] if answer in ("right", "acceptable") else ["the diagnosis"]
    left += [] if repaired else ["the repair"]
    return f"Not solved yet; left: {' and '.join(left)}."


# -- the diagnosis ------------------------------------------------------------------------------------------------------


def grade_diagnosis(exercise: Exercise, rule: Rule, original: Observation) -> str:
    """*Acceptable* names the fault from another side; a *symptom* is in the run, but is not what has to be repaired."""
    if rule.code == exercise.code:
        return "right"
    if rule.code in exercise.acceptable:
        return "acceptable"
    return "symptom" if rule.code in original.codes else "wrong"


def _diagnosis_section(rule: Rule, answer: str, original: Observation) -> Section:
    named = f"{rule.code} {rule.name}"
    sentence = {
        "right": f"{named} is the fault.",
        "acceptable": f"{named} is accepted: it names the fault from another side, or its direct consequence.",
        "symptom": f"{named} was seen in the run, but it is not the cause.",
        "wrong": f"{named} is not the fault"
        + (": it was looked for in the run and not found." if rule.code in original.fine else "."),
    }[answer]
    evidence = [f["message"] for f in original.findings if f["code"] == rule.code and answer in ("right", "acceptable")]
    claim = Claim(
        "exercise.diagnosis",
        sentence,
        predicted="accepted",
        measured="accepted" if answer in ("right", "acceptable") else "not accepted",
        note=evidence[0] if evidence else "",
    )
    return Section("The diagnosis", (claim,))


# -- the repair ---------------------------------------------------------------------------------------------------------


def _repair_section(
    exercise: Exercise, original: Observation, repaired: Observation, reference: Observation, *, named: bool
) -> Section:
    """`named`: the learner knows the fault, and may be told what is left of it."""
    blocks: list[Block] = [_ends(repaired), *_same_problem(repaired, reference)]
    blocks += [*_healthy(exercise, original, repaired, reference, named), _result(original, repaired, reference)]
    curves = {"handed out": original, "repaired": repaired}
    series = {name: list(enumerate(run.losses)) for name, run in curves.items() if len(run.losses) > 1}
    if series:
        blocks.append(line_chart("Loss at each backward pass", series, "backward pass", "loss"))
    return Section("The repaired script", tuple(blocks))


def _ends(repaired: Observation) -> Claim:
    fine = repaired.ending in ("finished", "exited")
    return Claim(
        "exercise.ends",
        "The repaired script runs to its end.",
        predicted="to its end",
        measured="to its end" if fine else f"{repaired.ending} {repaired.note.partition(chr(10))[0]}".strip(),
    )


def _same_problem(repaired: Observation, reference: Observation) -> list[Claim]:
    """A script that was emptied, cut short or left by `exit()` has too little of at least one of these."""
    note = "it left by exit()" if repaired.ending == "exited" else ""
    amounts = [
        ("trains", "It still trains: backward passes", 1, repaired.backwards),
        ("steps", "It still updates weights: optimizer steps", min(1, reference.steps), repaired.steps),
        ("data", "It still trains on the same amount of data (numbers)", reference.trained, repaired.trained),
        ("evaluates", "It still feeds as much to its model in all (numbers)", reference.fed, repaired.fed),
    ]
    claims = []
    for name, statement, least, measured in amounts:
        needed = math.ceil(SAME_WORK * least)
        if least:
            claims.append(Claim(f"exercise.{name}", f"{statement}.", needed, measured, "≥", note=note))
    return claims


def _healthy(exercise: Exercise, original: Observation, repaired: Observation, reference: Observation, named: bool) -> list[Claim]:
    """What a rule finds in the reference repair too is not held against the learner."""
    disease = {exercise.code, *exercise.acceptable} - reference.codes
    left = sorted(disease & repaired.codes)
    new = sorted(repaired.alarms - original.alarms - reference.alarms)
    remains = "; ".join(f["message"] for f in repaired.findings if f["code"] in left and named)
    messages = [f"{f['code']}: {f['message']}" for f in repaired.findings if f["code"] in new]
    return [
        Claim("exercise.cured", "The fault is gone: signs of it that remain.", 0, len(left), note=remains),
        Claim("exercise.no-new", "Nothing else went wrong: new errors and warnings.", 0, len(new), note="; ".join(messages)),
    ]


def _result(original: Observation, repaired: Observation, reference: Observation) -> Claim:
    """As good as the reference: its loss, or, where the repair changed the scale of the loss, its relative fall."""
    start, end = _ends_of(repaired.losses)
    goal_start, goal = _ends_of(reference.losses)
    note = f"handed out: {format_number(_ends_of(original.losses)[1])}" if original.losses else ""
    fall, goal_fall = _fall(start, end), FALL * _fall(goal_start, goal)
    statement = "The loss at the end is as low as that of a known repair."
    limit = goal + SLACK * abs(goal) + 2 * _noise(reference.losses)
    if not end <= limit and goal_fall > 0 and fall >= goal_fall:
        statement = "The loss falls by as large a share as that of a known repair (its scale is another)."
        return Claim("exercise.result", statement, round(goal_fall, 4), round(fall, 4), "≥", note=note)
    return Claim("exercise.result", statement, _short(limit), _short(end), "≤", note=note)


def _ends_of(losses: tuple[float, ...]) -> tuple[float, float]:
    """Mean loss of the first and of the last backward passes; NaN if there is none."""
    if not losses:
        return math.nan, math.nan
    head, tail = (max(1, round(share * len(losses))) for share in (HEAD, TAIL))
    return statistics.fmean(losses[:head]), statistics.fmean(losses[-tail:])


def _noise(losses: tuple[float, ...]) -> float:
    """Standard error of the mean over the last backward passes."""
    tail = losses[-max(1, round(TAIL * len(losses))) :]
    return statistics.stdev(tail) / math.sqrt(len(tail)) if len(tail) > 1 else 0.0


def _fall(start: float, end: float) -> float:
    return (start - end) / abs(start) if start else math.nan


def _short(value: float) -> float:
    """Four digits are enough to compare and to read."""
    return float(f"{value:.4g}")
