"""An evaluation builds the graph of a backward pass that never comes.

## What it means
Without `no_grad` every operation keeps what its gradient would need. The results are the same; memory and time are
those of training, and whoever keeps the outputs keeps the graph.
## Evidence
The bytes that the graph of one such forward has saved, without parameters, buffers and inputs. That no backward pass went
through it is known from the graph itself: it was freed, or outlived the script, unused.
## When this is fine
Gradients of an output that `torch.autograd.grad` is asked for; less than a megabyte.
## Fix
`with torch.no_grad():` around the evaluation, or `torch.inference_mode()`. `model.eval()` does not do it.
## References
PyTorch documentation, Autograd mechanics, "Locally disabling gradient computation".
"""

from collections.abc import Iterator

from torchclinic.observe.records import EvaluationGraph
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed
from torchclinic.units import format_nbytes

RULE = Rule("EVA005", "evaluation-builds-graph", "info", "exact", EvaluationGraph, __doc__, needs=("an evaluation",))


def check(graph: EvaluationGraph, *, least: int = 1 << 20) -> Iterator[Finding]:
    """`least`: bytes that are worth a word."""
    if graph.held < least:
        return
    yield RULE.finding(
        f"{graph.model} is evaluated with gradients: the graph of {graph.rows:,} rows holds {format_nbytes(graph.held)} for a "
        "backward pass that never comes.",
        line=graph.line,
        step=graph.step,
        evidence={"bytes": graph.held, "rows": graph.rows},
        fix="Evaluate under `with torch.no_grad():`.",
    )


def sick() -> Specimen:
    return Specimen(changed(_SCRIPT, ("with torch.no_grad():", "if True:")))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)


_SCRIPT = (
    changed(CLASSIFIER, ("nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)", "nn.Linear(4, 256), nn.ReLU(), nn.Linear(256, 3)"))
    + """
model.eval()
with torch.no_grad():
    accuracy = (model(torch.randn(2000, 4)).argmax(1) == 0).float().mean()
"""
)
