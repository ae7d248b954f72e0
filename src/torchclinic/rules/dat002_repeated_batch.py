"""Every step sees the same batch although there are more data.

## What it means
The loop never advances: `next(iter(loader))` inside it, an index that is not updated, or a random generator seeded
again at each step. The network memorizes one batch.
## Evidence
Consecutive training forwards on bitwise the same batch, cut anew each time from a larger tensor (`source_rows`), or
drawn from a loader whose every iterator gave exactly one batch.
## When this is fine
Full-batch training, and overfitting one batch on purpose: then the batch is one tensor that is used again, not a new
one.
## Fix
Iterate: `for x, y in loader:`; advance the index; seed once, before the loop.
## References
PyTorch documentation, `torch.utils.data.DataLoader`.
"""

from collections.abc import Iterator

from torchclinic.observe.records import BatchRun
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed

RULE = Rule("DAT002", "repeated-batch", "error", "exact", BatchRun, __doc__)


def check(run: BatchRun, *, steps: int = 5) -> Iterator[Finding]:
    """`steps`: five equal batches in a row never come from sampling a larger set."""
    loader = run.source == "loader"
    if run.length < steps or not run.fresh or not (loader or run.source_rows > run.rows):
        return
    source = "a loader whose iterator was made anew each time" if loader else f"a tensor of {run.source_rows} rows"
    yield RULE.finding(
        f"{run.length} training steps in a row used bitwise the same batch of {run.rows}, cut each time from {source}.",
        where=run.model,
        line=run.line,
        step=0,
        evidence={"repeats": run.length, "rows": run.rows, "source_rows": run.source_rows, "loader": loader},
        fix="Iterate over the loader (`for x, y in loader:`), or advance the index in the loop.",
    )


def sick() -> Specimen:
    return Specimen(changed(CLASSIFIER, ("[start : start + 8]", "[0:8]")))


def healthy() -> Specimen:
    return Specimen(CLASSIFIER)
