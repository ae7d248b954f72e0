"""When a change counts as confirmed.

Trials with and without the change are paired by seed. The effect of a pair is the difference of the two mean scores over
the last third of the shorter replay. A change is *confirmed* if, over at least three seeds,

1. the 99 % confidence interval of the mean effect (Student's t, n - 1 degrees of freedom) lies above 0,
2. the effect is positive at every seed, and
3. the mean effect is at least 0.02, or a fifth of what the worse side lacks to a perfect 1 (an
   R² of 0.97 that becomes 0.99 has lost two thirds of its error), but no less than 0.002.

With all three reversed it *made it worse*; otherwise it is *not confirmed*. 99 % rather than 95 % because several changes are
tried on one script. A change that found nothing to act on, or whose replays did not run, *could not be tried*.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torchclinic.replay.trial import Trial

Verdict = Literal["confirmed", "not confirmed", "made it worse", "could not be tried"]
VERDICTS: tuple[Verdict, ...] = ("confirmed", "not confirmed", "made it worse", "could not be tried")
CONFIDENCE = 0.99
# 0.995 quantiles of Student's t by degrees of freedom
QUANTILES = {1: 63.657, 2: 9.925, 3: 5.841, 4: 4.604, 5: 4.032, 6: 3.707, 7: 3.499, 8: 3.355, 9: 3.250}
LEAST_SEEDS = 3
LEAST_EFFECT = 0.02
LEAST_SHARE = 0.2  # of the error of the worse side
LEAST_OF_ALL = 0.002
LAST_PART = 3  # the last third of a replay is compared
LEAST_SCORES = 6
CURVE_POINTS = 100
Curve = Sequence[tuple[float, float]]
Curves = tuple[Curve, Curve]


@dataclass(frozen=True, slots=True)
class Proof:
    """One change, tried for one finding. `before`, `after`: the score of each seed as is and with the change."""

    code: str
    change: str
    what: str
    verdict: Verdict
    reason: str
    score: str = ""  # what is compared
    seeds: tuple[int, ...] = ()
    before: tuple[float, ...] = ()
    after: tuple[float, ...] = ()
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    losses: Curves = ((), ())  # as is and with the change, mean over the seeds
    scores: Curves = ((), ())

    def to_dict(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "change": self.change,
            "what": self.what,
            "verdict": self.verdict,
            "reason": self.reason,
            "score": self.score,
            "seeds": list(self.seeds),
            "before": list(self.before),
            "after": list(self.after),
            "effect": self.effect,
            "low": self.low,
            "high": self.high,
        }


def interval(differences: Sequence[float]) -> tuple[float, float, float]:
    """Mean and the ends of its 99 % confidence interval, for 2 to 10 values.

    Reference: Student 1908, Biometrika 6:1.
    """
    n = len(differences)
    mean = sum(differences) / n
    variance = sum((value - mean) ** 2 for value in differences) / (n - 1)
    half = QUANTILES[n - 1] * math.sqrt(variance / n)
    return mean, mean - half, mean + half


def least_effect(before: Sequence[float], after: Sequence[float]) -> float:
    """The smallest difference of the means that counts."""
    worse = min(sum(before), sum(after)) / len(before)
    return min(LEAST_EFFECT, max(LEAST_OF_ALL, LEAST_SHARE * (1 - worse)))


def decide(before: Sequence[float], after: Sequence[float]) -> tuple[Verdict, str]:
    """The verdict on scores as is and with the change, paired by seed, and why."""
    differences = [b - a for a, b in zip(before, after, strict=True)]
    if len(differences) < LEAST_SEEDS:
        return "could not be tried", f"time for {len(differences)} of the {LEAST_SEEDS} seeds that are needed at least"
    mean, low, high = interval(differences)
    if all(value == 0 for value in differences):
        return "not confirmed", "the change made no difference at any seed"
    same_side = all(value > 0 for value in differences) or all(value < 0 for value in differences)
    least = least_effect(before, after)
    if abs(mean) < least:
        return "not confirmed", f"the effect is smaller than {least:.2g}"
    if not same_side:
        return "not confirmed", "better at some seeds, worse at others"
    if low <= 0 <= high:
        return "not confirmed", "the effect is not larger than its spread over the seeds"
    if mean < 0:
        return "made it worse", "worse at every seed"
    return "confirmed", "better at every seed, by more than the spread over the seeds"


def weigh(code: str, change: Any, before: Mapping[int, Trial], after: Mapping[int, Trial]) -> Proof:
    """The proof of `change` (its class) from the trials of each seed, as is and with it."""
    seeds = tuple(sorted(set(before) & set(after)))
    failure = _failure([before[s] for s in seeds], [after[s] for s in seeds], change)
    if failure:
        return Proof(code, change.name, change.what, "could not be tried", failure)
    judged_by = change.judged_by
    if judged_by == "evaluation" and any(t.evaluation is None for s in seeds for t in (before[s], after[s])):
        judged_by = "training"
    pairs = [_compared(before[seed], after[seed], judged_by) for seed in seeds]
    if any(pair is None for pair in pairs):
        return Proof(code, change.name, change.what, "could not be tried", _unscored(before[seeds[0]]))
    scores = [pair for pair in pairs if pair is not None]
    verdict, reason = decide([a for a, _ in scores], [b for _, b in scores])
    differences = [b - a for a, b in scores]
    effect, low, high = interval(differences) if len(differences) > 1 else (None, None, None)
    return Proof(
        code,
        change.name,
        change.what,
        verdict,
        reason,
        score=f"{judged_by}: {_kind(before[seeds[0]], judged_by)}",
        seeds=seeds,
        before=tuple(a for a, _ in scores),
        after=tuple(b for _, b in scores),
        effect=effect,
        low=low,
        high=high,
        losses=_curves([before[s].losses for s in seeds], [after[s].losses for s in seeds]),
        scores=_curves([_line(before[s]) for s in seeds], [_line(after[s]) for s in seeds]),
    )


def _failure(before: Sequence[Trial], after: Sequence[Trial], change: Any) -> str:
    if not before:
        return "there was no time for it"
    stale = next((path for trial in [*before, *after] for path in trial.stale_reads), None)
    if stale is not None:
        return f"the script reads {stale}, which its last run wrote"
    for trials, where in ((before, "as is"), (after, f"with {change.name}")):
        broken = next((t for t in trials if t.ending in ("killed", "raised") and t.backwards < _fewest(before)), None)
        if broken is not None:
            return f"the replay {where} failed: {broken.note}"
    if not any(trial.backwards for trial in before):
        return "the replay ran no backward pass" + (f": {before[0].note}" if before[0].note else "")
    if not any(trial.acted for trial in after):
        return "the change found nothing to act on"
    return ""


def _fewest(trials: Sequence[Trial]) -> int:
    """A replay that broke off earlier than half of what others did shows nothing."""
    return max(trial.backwards for trial in trials) // 2


def _compared(before: Trial, after: Trial, judged_by: str) -> tuple[float, float] | None:
    if judged_by == "evaluation":
        same = before.evaluation_kind == after.evaluation_kind
        found = before.evaluation is not None and after.evaluation is not None
        return (before.evaluation or 0.0, after.evaluation or 0.0) if same and found else None
    if before.scores.kind != after.scores.kind or not (before.scores.mixed and after.scores.mixed):
        return None
    length = min(before.backwards, after.backwards)
    values = [trial.scores.values(length) for trial in (before, after)]
    if min(map(len, values)) < LEAST_SCORES:
        return None
    last = [line[-max(LEAST_SCORES, len(line) // LAST_PART) :] for line in values]
    return sum(last[0]) / len(last[0]), sum(last[1]) / len(last[1])


def _kind(trial: Trial, judged_by: str) -> str:
    from torchclinic.replay.scores import KINDS

    return KINDS[trial.evaluation_kind if judged_by == "evaluation" else trial.scores.kind]


def _unscored(trial: Trial) -> str:
    if not trial.scores.kind:
        return "no loss call was seen whose predictions can be scored"
    if not trial.scores.mixed:
        return "no comparable score: the targets of each loss call are all the same, as between two opposed networks"
    return f"fewer than {LEAST_SCORES} loss calls could be scored"


def _line(trial: Trial) -> list[float]:
    return trial.scores.values(trial.backwards) if trial.scores.kind else []


def _curves(before: Sequence[Sequence[float]], after: Sequence[Sequence[float]]) -> Curves:
    return mean_curve(before), mean_curve(after)


def mean_curve(lines: Sequence[Sequence[float]]) -> Curve:
    """The mean over the seeds at each backward pass, in blocks where there are many."""
    length = min((len(line) for line in lines), default=0)
    block = max(1, length // CURVE_POINTS)
    points = []
    for start in range(0, length - block + 1, block):
        values = [value for line in lines for value in line[start : start + block]]
        points.append((start + (block - 1) / 2, sum(values) / len(values)))
    return points
