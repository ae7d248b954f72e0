"""One term of the loss is a mean over the batch, another is a sum over it: the sum drowns the mean.

## What it means
A number in the mean weighs 1/N, one in the sum weighs 1. Where a variational autoencoder averages its reconstruction error
over pixels and batch, and sums the divergence over latents and batch, only the divergence is minimized: the posterior
collapses to the prior, and every picture is reconstructed as the same one.
## Evidence
`averaged` numbers in the mean, `summed` in the sum, both over the same `rows`; `ratio` of the weight of one number in the
sum to one in the mean. The evidence lower bound has both sums, or both sums divided by the batch: ratio 1.
## When this is fine
A small factor before the sum that balances them; a sum over parameters (weight decay), which does not grow with the batch;
an error that the older argument `size_average=False` makes a sum too.
## Fix
Both with `reduction="sum"`, or both divided by the number of samples.
## References
Kingma and Welling 2014, arXiv:1312.6114 (the lower bound); Bowman et al. 2016, arXiv:1511.06349 (its collapse).
"""

from collections.abc import Iterator

from torchclinic.observe.records import UnevenTerms
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import changed

RULE = Rule("LOS014", "sum-beside-mean", "error", "exact", UnevenTerms, __doc__)


def check(record: UnevenTerms, *, most: float = 1000.0, least_factor: float = 0.1) -> Iterator[Finding]:
    """`most`: means over the batch of sums over pixels and latents, a common choice, differ by the number of pixels (784 for
    digits) and still learn. `least_factor`: a smaller one was chosen to balance the terms."""
    ratio = record.factor / record.mean_factor * record.averaged
    if ratio < most or record.factor / record.mean_factor < least_factor:
        return
    yield RULE.finding(
        f"The loss adds a sum over {record.summed:,} numbers of {record.rows} samples to a mean over {record.averaged:,}: a "
        f"number in the sum weighs {ratio:,.0f} times one in the mean.",
        line=record.line,
        step=record.step,
        evidence={
            "summed": record.summed,
            "averaged": record.averaged,
            "rows": record.rows,
            "ratio": ratio,
            "mean_line": record.mean_line,
        },
        fix=f'Reduce both alike: `reduction="sum"` for the mean, or the sum divided by the {record.rows} samples.',
    )


_SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)
encode, decode = nn.Linear(60, 8), nn.Linear(4, 60)
optimizer = torch.optim.Adam([*encode.parameters(), *decode.parameters()], lr=1e-3)
for _ in range(12):
    x = torch.randn(64, 60)
    mean, spread = encode(x).chunk(2, dim=1)
    recovered = decode(mean + torch.randn(64, 4) * (spread / 2).exp())
    error = nn.functional.mse_loss(recovered, x, reduction="sum")
    divergence = -0.5 * torch.sum(1 + spread - mean.pow(2) - spread.exp())
    optimizer.zero_grad()
    (error + divergence).backward()
    optimizer.step()
"""


def sick() -> Specimen:
    """The reconstruction error is a mean."""
    return Specimen(changed(_SCRIPT, (', reduction="sum"', "")))


def healthy() -> Specimen:
    """Both are sums."""
    return Specimen(_SCRIPT)
