"""Most ReLU units of a layer stay at zero, for every sample, from some step on.

## What it means
Where a rectifier is zero its slope is zero: the unit's weights get the gradient δ·xᵀ with δ = 0 exactly, at every
sample, so no learning rate can bring it back. One step too large is enough to get there.
## Evidence
`dead` of `units`, over `samples` values each in every window of sampled steps since `since`. Counted per unit, never
per element: a healthy rectifier is zero on about half of its values.
## When this is fine
Sparse by design (top-k, mixture gates). Up to four fifths of a layer: overly wide layers work with a few units.
## Fix
A smaller learning rate; a leaky ReLU; He initialization with normalization before the activation.
## References
Lu et al. 2019, arXiv:1903.06733; He et al. 2015, arXiv:1502.01852, eq. 10.
"""

import math
from collections.abc import Iterator
from itertools import takewhile

from torchclinic.observe.records import RunRecord
from torchclinic.observe.records.layers import LayerSeries, Window
from torchclinic.report.model import Finding, Value
from torchclinic.rules.pictures import dead_units
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.timeline import require

CAUSES = ("NUM001", "LOS014", "INI005", "INI006", "DAT001", "DAT009", "OPT001", "WIR001", "INI002", "DAT003", "DAT006")
RULE = Rule("ACT001", "dead-relu", "error", "window", RunRecord, __doc__, follows=CAUSES, needs=("rectifiers",))
picture = dead_units


def check(
    record: RunRecord, *, deviations: float = 2.576, least_share: float = 0.8, min_samples: int = 64, min_windows: int = 3
) -> Iterator[Finding]:
    """Fires beyond one half plus `deviations` binomial deviations (with symmetric weights, identical inputs silence half)
    and beyond `least_share`: networks that learn were measured with 73 % silent, crippled ones with 91 % and more."""
    require(record, 8)
    for layer in record.layers:
        units = layer.units
        if not layer.rectified or units < 2:
            continue
        limit = min(max(units / 2 + deviations * math.sqrt(units) / 2, least_share * units), units - 1)
        large = [w for w in layer.windows if w.samples >= min_samples and math.isfinite(w.high)]
        trailing = list(takewhile(lambda window: window.dead > limit, reversed(large)))  # noqa: B023 - used at once
        if len(trailing) >= min_windows:
            yield _finding(record, layer, trailing, born=len(trailing) == len(large), limit=limit)


def _finding(record: RunRecord, layer: LayerSeries, trailing: list[Window], *, born: bool, limit: float) -> Finding:
    last, first = trailing[0], trailing[-1]
    samples = sum(window.samples for window in trailing)
    killer = record.optimizers[0].line if record.optimizers and not born else layer.line
    evidence: dict[str, Value] = {"dead": last.dead, "units": layer.units, "samples": samples, "since": first.step, "limit": limit}
    return RULE.finding(
        f"Layer `{layer.path}` ({layer.kind}): {last.dead} of {layer.units} units have been zero since step {first.step}; "
        f"on {samples:,} values they let no gradient through.",
        where=layer.path,
        line=killer,
        step=first.step,
        evidence=evidence,
        fix="A smaller learning rate, a leaky ReLU, or normalization before the activation.",
    )


_SCRIPT = """import torch
from torch import nn

torch.manual_seed(0)
layers = [nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4)]
model = nn.Sequential(*layers)
nn.init.constant_(layers[0].bias, BIAS)
initialized = [nn.init.kaiming_normal_(layer.weight) for layer in layers[::2]]
batch = (torch.randn(64, 20), torch.randint(0, 4, (64,)))
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(40):
    optimizer.zero_grad()
    loss = loss_fn(model(batch[0]), batch[1])
    loss.backward()
    optimizer.step()
"""


def sick() -> Specimen:
    """Biases of -20."""
    return Specimen(_SCRIPT.replace("BIAS", "-20.0"))


def healthy() -> Specimen:
    """Biases of 0."""
    return Specimen(_SCRIPT.replace("BIAS", "0.0"))
