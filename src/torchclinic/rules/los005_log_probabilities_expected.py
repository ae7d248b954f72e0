"""A loss that expects (log-)probabilities is fed something else.

## What it means
`nll_loss` and `kl_div` expect log-probabilities: on logits or probabilities the value is no likelihood and can fall
without bound or never. `binary_cross_entropy` expects probabilities in [0, 1].
## Evidence
Log-probabilities satisfy logsumexp = 0 over the classes; what was measured instead, over the batch.
## When this is fine
Sub-normalized likelihoods up to `tolerance`, as they come from an epsilon inside the log. `kl_div` over another than
the last dimension is not judged.
## Fix
`log_softmax` before `nll_loss` or `kl_div`, or `cross_entropy` on the logits; `binary_cross_entropy_with_logits`.
## References
PyTorch documentation, `torch.nn.NLLLoss`, `torch.nn.KLDivLoss`, `torch.nn.BCELoss`.
"""

from collections.abc import Iterator

from torchclinic.observe.records import LossCall
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed
from torchclinic.vocabulary import LOG_PROBABILITY_LOSSES

RULE = Rule("LOS005", "log-probabilities-expected", "error", "exact", LossCall, __doc__, needs=("a log-probability loss",))


def check(call: LossCall, *, tolerance: float = 0.05) -> Iterator[Finding]:
    """`tolerance`: exact in float32 to 1e-5; bfloat16 log-probabilities and an epsilon of 1e-3 stay below 0.05."""
    p = call.prediction
    if call.function == "binary_cross_entropy":
        if p.minimum < 0 or p.maximum > 1:
            yield _finding(call, f"values from {p.minimum:.3g} to {p.maximum:.3g}", "probabilities in [0, 1]")
        return
    if call.function not in LOG_PROBABILITY_LOSSES or not p.finite or call.classes < 2:
        return
    off = max(abs(p.logsumexp_low), abs(p.logsumexp_high))
    elsewhere = call.function == "kl_div" and len(p.shape) != 2
    if off > tolerance and not elsewhere:
        probabilities = p.minimum >= 0 and abs(p.row_sum_high - 1) < tolerance
        what = "probabilities" if probabilities else f"values whose logsumexp reaches {off:.3g}"
        yield _finding(call, what, "log-probabilities (logsumexp 0)")


def _finding(call: LossCall, got: str, wanted: str) -> Finding:
    p = call.prediction
    return RULE.finding(
        f"`{call.function}` expects {wanted} and receives {got}" + (f", made by `{p.producer}`." if p.producer else "."),
        where=call.where,
        line=p.producer_line if p.producer in ("softmax", "sigmoid") else call.built or call.line,
        step=call.step,
        evidence={"smallest": p.minimum, "largest": p.maximum, "logsumexp": p.logsumexp_high, "producer": p.producer},
        fix={
            "nll_loss": "Apply `log_softmax` first, or use `cross_entropy` on the logits.",
            "kl_div": "Pass `log_softmax` of the predictions as the first argument.",
        }.get(call.function, "Apply a sigmoid, or use `binary_cross_entropy_with_logits`."),
    )


def sick() -> Specimen:
    return Specimen(changed(CLASSIFIER, ("cross_entropy(model(xb)", "nll_loss(model(xb).softmax(1)")))


def healthy() -> Specimen:
    return Specimen(changed(CLASSIFIER, ("cross_entropy(model(xb)", "nll_loss(model(xb).log_softmax(1)")))
