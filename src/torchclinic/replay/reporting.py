"""The section "Proof by replay" of a report, and its JSON."""

import math
from collections.abc import Sequence
from typing import Any

from torchclinic.replay.scripts import Proofs
from torchclinic.replay.verdicts import LEAST_EFFECT, LEAST_SEEDS, Curve, Proof
from torchclinic.report.figures import line_chart
from torchclinic.report.model import Block, Prose, Section, Table
from torchclinic.units import format_seconds

TITLE = "Proof by replay"
AS_IS = "as is"


def proof_section(found: Proofs) -> Section:
    """What was replayed, the curves, the effect of each change, and the changes that did not help."""
    if found.problem:
        return Section(TITLE, (Prose(found.problem),))
    if not found.proofs:
        return Section(TITLE, (Prose("No finding has a remedy that can be tried from outside; nothing was replayed."),))
    blocks: list[Block] = [Prose(_introduction(found))]
    losses, scores = (_lines(found.proofs, which) for which in ("losses", "scores"))
    if losses:
        blocks.append(_loss_chart(losses))
    if scores:
        blocks.append(line_chart("Score, mean over the seeds", scores, "scored step", "score (1 = perfect)", dashed=(AS_IS,)))
    blocks.append(_table(found.proofs))
    blocks.append(Prose(_conclusion(found)))
    return Section(TITLE, tuple(blocks))


def proofs_data(found: Proofs) -> dict[str, Any]:
    """Further keys of the JSON report: `proofs` has one entry per change, `replay` says how they came about."""
    replay = {
        "replays": found.replays,
        "seeds": found.seeds,
        "backwards": found.backwards,
        "steps": found.steps,
        "seconds": round(found.seconds, 2),
        "left_out": list(found.left_out),
        "problem": found.problem,
    }
    return {"proofs": [proof.to_dict() for proof in found.proofs], "replay": replay}


def _introduction(found: Proofs) -> str:
    scores = " or ".join(dict.fromkeys(proof.score for proof in found.proofs if proof.score)) or "none could be taken"
    return (
        f"The training was run again {found.replays} times in {format_seconds(found.seconds)}: as it is and with one change "
        f"at a time, for {found.steps:,} steps ({found.backwards:,} backward passes), at {found.seeds} seeds. "
        f"Compared is a score that the change cannot redefine ({scores}), over the last third of the steps. "
        f"Confirmed means: better at every seed (at least {LEAST_SEEDS}), on average by {LEAST_EFFECT:g} or by a fifth of what "
        f"was missing to 1, and the 99 % confidence interval of the paired difference lies above 0."
    )


def _lines(proofs: Sequence[Proof], which: str) -> dict[str, Curve]:
    """The curve of each change, and as it is (last, so that it is seen above those that equal it)."""
    pairs = {proof.change: getattr(proof, which) for proof in proofs if getattr(proof, which)[0]}
    lines = {change: pair[1] for change, pair in pairs.items()}
    return {**lines, AS_IS: next(iter(pairs.values()))[0]} if lines else {}


def _loss_chart(curves: dict[str, Curve]) -> Block:
    values = [value for line in curves.values() for _, value in line if math.isfinite(value)]
    wide = bool(values) and min(values) > 0 and max(values) > 20 * min(values)
    return line_chart(
        "Loss as the script computes it, mean over the seeds",
        curves,
        "backward pass",
        "loss",
        log_y=wide,
        dashed=(AS_IS,),
        description="A change may redefine the loss, so the verdicts rest on the scores in the table, not on these curves.",
    )


def _table(proofs: Sequence[Proof]) -> Table:
    rows = []
    for proof in proofs:
        mean = [sum(side) / len(side) if side else None for side in (proof.before, proof.after)]
        spread = None
        if proof.effect is not None and proof.high is not None:
            spread = f"{proof.effect:+.3f} ± {proof.high - proof.effect:.3f}"
        rows.append((proof.code or "—", proof.change, proof.verdict, spread, *mean))
    caption = "Score as is and with the change, mean over the seeds; effect with its 99 % confidence interval"
    return Table(("finding", "change", "verdict", "effect", "as is", "changed"), tuple(rows), caption)


def _conclusion(found: Proofs) -> str:
    groups: dict[str, list[Proof]] = {}
    for proof in found.proofs:
        groups.setdefault(proof.verdict, []).append(proof)
    parts = []
    if "confirmed" in groups:
        parts.append("Confirmed. " + " ".join(_sentence(proof, helped=True) for proof in groups["confirmed"]))
    rest = [*groups.get("not confirmed", []), *groups.get("made it worse", [])]
    if rest:
        parts.append("Did not help. " + " ".join(_sentence(proof, helped=False) for proof in rest))
    if "could not be tried" in groups:
        tried = "; ".join(f"`{p.change}`{_for(p)}: {p.reason}" for p in groups["could not be tried"])
        parts.append(f"Could not be tried. {tried}.")
    if found.left_out:
        parts.append(f"Left out. {'; '.join(found.left_out)}.")
    return "\n\n".join(parts)


def _for(proof: Proof) -> str:
    return f" for {proof.code}" if proof.code else ""


def _sentence(proof: Proof, helped: bool) -> str:
    if helped:
        return f"`{proof.change}`{_for(proof)}: {proof.what}, and the score rises by {proof.effect:.3f}."
    return f"`{proof.change}`{_for(proof)} ({proof.what}): {proof.verdict}, {proof.reason}."
