"""BatchNorm normalizes over one or two values per channel, or over a single sample.

## What it means
One value per channel cannot be normalized (PyTorch raises). Two become -1 and +1 whatever they were: only their order
is left of the signal. Over one sample, whatever its size, each loses its own level and contrast in training and keeps them
in evaluation, where running statistics take their place: two different functions.
## Evidence
Values per channel (batch size times positions) in training forwards. The relative standard error of a standard
deviation estimated from n values is 1/sqrt(2(n-1)): 0.71 for n = 2, 0.5 for n = 3; above 0.5 is reported. Or: every
training forward seen had one sample, and the model was evaluated in eval mode.
## When this is fine
Only the last, incomplete batch of an epoch is so small (and has more than one value per channel). One sample at a time
where nothing is evaluated in eval mode (image translation, style transfer).
## Fix
Larger batches, `drop_last=True`, or GroupNorm/LayerNorm, which do not depend on the batch.
## References
Wu and He 2018, arXiv:1803.08494, figure 1; standard error: normal approximation, e.g. Kendall and Stuart, 10.
"""

from collections.abc import Iterator

from torchclinic.observe.records import ForwardPass, LayerPass, RunRecord
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed

RULE = Rule("MOD004", "single-value-batchnorm", "error", "exact", RunRecord, __doc__, needs=("batch statistics",))


def check(run: RunRecord, *, fewest: int = 3, least: int = 8) -> Iterator[Finding]:
    """`fewest`: the smallest n with 1/sqrt(2(n-1)) <= 0.5. `least`: forwards of one sample; fewer may be tries."""
    if run.failure is not None and "more than 1 value per channel" in run.failure.message:
        yield _finding("", run.failure.line, run.steps, 1)
        return
    passes = [f for f in run.of(ForwardPass) if f.with_grad and f.feeds_backward]
    small = [
        (f, layer)
        for f in passes
        for layer in f.layers
        if layer.kind == "batchnorm" and layer.active and 0 < layer.values_per_channel < fewest
    ]
    if small and len({id(f) for f, _ in small}) * 2 > len(passes):
        forward, layer = small[0]
        yield _finding(layer.path, forward.line, forward.step, layer.values_per_channel)
        return
    evaluated = {f.index for f in run.of(ForwardPass) if f.evaluating()}
    for index in sorted({f.index for f in passes} & evaluated):
        own = [f for f in passes if f.index == index and any(_normalizes(layer) for layer in f.layers)]
        layers = [layer for f in own for layer in f.layers if _normalizes(layer)]
        if len(own) >= least and all(layer.rows == 1 for layer in layers):
            yield _finding(layers[0].path, own[0].line, own[0].step, layers[0].values_per_channel, alone=True)


def _normalizes(layer: LayerPass) -> bool:
    return layer.kind == "batchnorm" and layer.active and layer.tracks


def _finding(where: str, line: str, step: int, values: int, *, alone: bool = False) -> Finding:
    of_one = ", all of one sample: each training batch has one, and running statistics replace its own in evaluation"
    return RULE.finding(
        f"BatchNorm in train mode normalizes over {values} value{'s' * (values > 1)} per channel{of_one * alone}.",
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
