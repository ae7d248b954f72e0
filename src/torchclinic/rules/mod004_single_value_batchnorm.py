"""BatchNorm normalizes over one or two values per channel.

## What it means
One value per channel cannot be normalized (PyTorch raises). Two become -1 and +1 whatever they were: only their order
is left of the signal.
## Evidence
Values per channel (batch size times positions) in training forwards. The relative standard error of a standard
deviation estimated from n values is 1/sqrt(2(n-1)): 0.71 for n = 2, 0.5 for n = 3; above 0.5 is reported.
## When this is fine
Only the last, incomplete batch of an epoch is so small (and has more than one value per channel).
## Fix
Larger batches, `drop_last=True`, or GroupNorm/LayerNorm, which do not depend on the batch.
## References
Wu and He 2018, arXiv:1803.08494, figure 1; standard error: normal approximation, e.g. Kendall and Stuart, 10.
"""

from collections.abc import Iterator

from torchclinic.observe.records import ForwardPass, RunRecord
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed

RULE = Rule("MOD004", "single-value-batchnorm", "error", "exact", RunRecord, __doc__)


def check(run: RunRecord, *, fewest: int = 3) -> Iterator[Finding]:
    """`fewest`: the smallest n with 1/sqrt(2(n-1)) <= 0.5."""
    if run.failure is not None and "more than 1 value per channel" in run.failure.message:
        yield _finding("", run.failure.line, run.steps, 1)
        return
    passes = [f for f in run.others if isinstance(f, ForwardPass) and f.with_grad and f.feeds_backward]
    small = [
        (f, layer)
        for f in passes
        for layer in f.layers
        if layer.kind == "batchnorm" and layer.active and 0 < layer.values_per_channel < fewest
    ]
    if small and len({id(f) for f, _ in small}) * 2 > len(passes):
        forward, layer = small[0]
        yield _finding(layer.path, forward.line, forward.step, layer.values_per_channel)


def _finding(where: str, line: str, step: int, values: int) -> Finding:
    return RULE.finding(
        f"BatchNorm in train mode normalizes over {values} value{'s' * (values > 1)} per channel.",
        where=where,
        line=line,
        step=step,
        evidence={"values_per_channel": values, "least": 3},
        fix="Use larger batches (`drop_last=True` for the incomplete one), or GroupNorm or LayerNorm.",
    )


def sick() -> Specimen:
    return Specimen(changed(_SCRIPT, ("+ 8]", "+ 2]")))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)


_SCRIPT = changed(CLASSIFIER, ("nn.ReLU(),", "nn.BatchNorm1d(8), nn.ReLU(),"))
