"""Runs of layers that nothing rescales, and how the mean square changes over them: read by INI003, INI004 and INI006."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from torchclinic.instruments.layer_signal import LayerSignal, Propagation
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule

ENDS = ("norm", "add", "opaque", "cat", "embedding")
KAPPA = 5.0  # step variance of log q per layer and 1 / width for ReLU, the largest of the usual activations


@dataclass(frozen=True, slots=True)
class Drift:
    first: str
    last: str
    layers: int
    width: float
    log_change: float
    line: str
    step: int

    @property
    def factor(self) -> float:
        return math.exp(min(abs(self.log_change), 700.0))

    def limit(self, deviations: float) -> float:
        """What a correct initialization may do: tanh decays as 1 / depth, and finite width spreads log q.

        Reference: Poole et al. 2016, arXiv:1606.05340 (tanh: tanh² x ≈ x² − 2x⁴/3, so q ≈ 1 / 2L); Hanin and Rolnick 2018,
        arXiv:1803.01719 (spread).
        """
        variance = KAPPA * self.layers / self.width
        return math.log(2 * self.layers) + deviations * math.sqrt(variance) + variance / 2

    def finding(self, rule: Rule, verb: str, limit: float) -> Finding:
        """It shrinks or grows by more than `limit`, the logarithm of what is allowed."""
        return rule.finding(
            f"The mean square {verb} by a factor {self.factor:.3g} over {self.layers} layers; a correct "
            f"initialization stays within {math.exp(min(limit, 700)):.3g}.",
            where=self.last,
            line=self.line,
            step=self.step,
            evidence={"log_change": self.log_change, "limit": limit, "layers": self.layers, "first": self.first},
            fix="tc.initialize(model), or a normalization between the layers.",
        )


def drifts(record: Propagation) -> Iterator[Drift]:
    """One per run of at least three layers with weights, as initialized. Layers before a normalization end a run."""
    for rows in unbroken(record) if record.step == 0 else ():
        run = [row for row in rows if row.role == "linear" and row.followed_by and not row.normalized and not row.in_branch]
        yield from _drift(run, record.step)


def unbroken(record: Propagation, through: str = "") -> Iterator[list[LayerSignal]]:
    """Stretches whose factors multiply: what follows one of ENDS gets its scale from elsewhere, or from several places.

    Operations with `through` in their names do not end one.
    """
    for ends, rows in groupby(record, lambda row: row.role in ENDS and not (through and through in row.kind.lower())):
        if not ends:
            yield list(rows)


def _drift(run: list[LayerSignal], step: int) -> Iterator[Drift]:
    run = [row for row in run if row.weight_mean_square]
    if len(run) < 3 or run[0].mean_square == 0 or run[-1].mean_square == 0:
        return
    width = len(run) / sum(1 / max(row.units, 1) for row in run)
    change = math.log(run[-1].mean_square / run[0].mean_square) if math.isfinite(run[-1].mean_square) else math.inf
    yield Drift(run[0].layer, run[-1].layer, len(run) - 1, width, change, run[-1].line, step)
