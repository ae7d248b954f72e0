"""BatchNorm layers are frozen, but their running statistics still move.

## What it means
`requires_grad_(False)` stops the affine parameters, not the statistics: in train mode each forward moves them towards
the new data, and the frozen features change under the head that is being trained.
## Evidence
BatchNorm layers with frozen parameters that ran in train mode in every observed training forward.
## When this is fine
The layers are in eval mode; they are frozen only for a while (a GAN's discriminator in the generator's step); the whole
model is frozen; a teacher whose parameters follow by averaging.
## Fix
Put the frozen BatchNorm modules into eval mode after each `model.train()`.
## References
PyTorch documentation, `torch.nn.BatchNorm2d`, `track_running_stats`.
"""

from collections.abc import Iterator

from torchclinic.observe.records import ForwardPass, RunRecord
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import changed

RULE = Rule(
    "MOD006", "frozen-batchnorm-drift", "warning", "exact", RunRecord, __doc__, follows=("MOD002",), needs=("batch statistics",)
)


def check(run: RunRecord) -> Iterator[Finding]:
    passes = [f for f in run.of(ForwardPass) if f.with_grad and f.stepped]
    states: dict[tuple[int, str], list[bool]] = {}
    sums: dict[tuple[int, str], set[float]] = {}
    for forward in passes:
        for layer in forward.layers:
            if layer.kind == "batchnorm":
                drifts = layer.frozen and layer.active and layer.tracks
                states.setdefault((forward.index, layer.path), []).append(drifts)
                sums.setdefault((forward.index, layer.path), set()).add(layer.affine_sum)
    drifting = [key[1] for key, seen in states.items() if all(seen) and len(sums[key]) == 1]
    if drifting:
        yield RULE.finding(
            f"{len(drifting)} frozen BatchNorm layers ({drifting[0]}, …) run in train mode: their running statistics move with "
            "every batch although their parameters do not.",
            where=drifting[0],
            line=passes[0].line,
            step=passes[0].step,
            evidence={"layers": len(drifting), "forwards": len(passes)},
            fix="After `model.train()`, call `.eval()` on every frozen BatchNorm module.",
        )


def sick() -> Specimen:
    return Specimen(changed(_SCRIPT, ("body.eval()\n", "")))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)


_SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(80, 4), torch.randint(0, 3, (80,))
body = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU()).requires_grad_(False)
model = nn.Sequential(body, nn.Linear(8, 3))
model.train()
body.eval()
optimizer = torch.optim.SGD(model[1].parameters(), lr=0.05)
for start in range(0, 80, 8):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x[start : start + 8]), y[start : start + 8]).backward()
    optimizer.step()
"""
