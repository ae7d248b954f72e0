"""`binary_cross_entropy_with_logits` is fed probabilities: the sigmoid is applied twice.

## What it means
The second sigmoid sees values in [0, 1], so the predicted probability lies in [0.5, 0.73]: negatives cannot be learned,
the loss of a negative cannot fall below log 2.
## Evidence
The operation that made the input is a sigmoid, and its values lie in [0, 1].
## When this is fine
Never; `binary_cross_entropy` takes probabilities.
## Fix
Remove the sigmoid before the loss.
## References
PyTorch documentation, `torch.nn.BCEWithLogitsLoss`; sigmoid(1) = 0.731.
"""

from collections.abc import Iterator

from torchclinic.observe.records import LossCall
from torchclinic.report.model import Finding
from torchclinic.rules.corrections import without
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import REGRESSION, changed
from torchclinic.vocabulary import PROBABILITIES

RULE = Rule("LOS002", "sigmoid-before-bce-with-logits", "error", "exact", LossCall, __doc__, needs=("binary cross-entropy",))
correct = without("sigmoid")


def check(call: LossCall) -> Iterator[Finding]:
    p = call.prediction
    bounded = p.minimum >= 0 and p.maximum <= 1
    if call.function != "binary_cross_entropy_with_logits" or p.producer not in _BOUNDED or not bounded:
        return
    yield RULE.finding(
        f"`binary_cross_entropy_with_logits` receives the output of `{p.producer}` (values {p.minimum:.3f} to "
        f"{p.maximum:.3f}): the sigmoid is applied twice, and no probability below 0.5 can be predicted.",
        where=call.where,
        line=p.producer_line or call.line,
        step=call.step,
        evidence={"producer": p.producer, "smallest": p.minimum, "largest": p.maximum, "loss": call.value},
        fix="Pass the logits: remove the sigmoid, or use `binary_cross_entropy`.",
    )


_BOUNDED = PROBABILITIES | {"hardsigmoid"}


def sick() -> Specimen:
    return Specimen(changed(_SCRIPT, ("(model(xb), ", "(model(xb).sigmoid(), ")))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)


_SCRIPT = changed(
    REGRESSION,
    ("mse_loss", "binary_cross_entropy_with_logits"),
    ("y = x.sum(dim=1, keepdim=True) / 2", "y = (x.sum(dim=1, keepdim=True) > 0).float()"),
)
