"""A padding mask is the wrong way round: attention looks at the padding only.

## What it means
`key_padding_mask` of `nn.MultiheadAttention` and `src_key_padding_mask` of `nn.TransformerEncoder` are True where a position
is to be ignored; in other libraries a 1 says that it counts. Inverted, every query sees nothing but padding.
## Evidence
In each of `calls` masks the positions that are left hold one and the same token (or zeros only), and those that are hidden
hold the others.
## When this is fine
A batch without padding, or masks that do not go by positions of the input, are not judged.
## Fix
`key_padding_mask=(tokens == pad)`; for a mask that says what counts, `~mask`.
## References
PyTorch documentation, `torch.nn.MultiheadAttention`, `key_padding_mask`.
"""

from collections.abc import Iterator

from torchclinic.observe.records import PaddingMask
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import changed

RULE = Rule("MOD009", "inverted-padding-mask", "error", "exact", PaddingMask, __doc__, needs=("a padding mask",))


def check(record: PaddingMask, *, least: int = 2) -> Iterator[Finding]:
    """`least`: calls; a single one may be a special case of the loop."""
    if record.calls < least or record.inverted < record.calls:
        return
    yield RULE.finding(
        f"In {record.calls} of {record.calls} masks the positions that are left to attention hold only "
        f"{'one and the same token' if record.tokens else 'zeros'}, and those that are hidden hold all others.",
        where=record.where,
        line=record.line,
        step=record.step,
        evidence={"calls": record.calls, "inverted": record.inverted},
        fix="Invert the mask: True is for positions to ignore, `key_padding_mask=(tokens == pad)`.",
    )


_SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.last = nn.Embedding(20, 16, padding_idx=0), nn.Linear(16, 2)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)

    def forward(self, tokens):
        padding = tokens == 0
        hidden = self.layer(self.table(tokens), src_key_padding_mask=padding)
        return self.last(hidden.masked_fill(padding[..., None], 0).sum(1))

model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for _ in range(8):
    tokens = torch.randint(1, 20, (16, 12))
    tokens[torch.arange(12) >= torch.randint(4, 13, (16, 1))] = 0
    y = (tokens[:, 0] > 10).long()
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(tokens), y).backward()
    optimizer.step()
"""


def sick() -> Specimen:
    """The mask says which positions count."""
    return Specimen(changed(_SCRIPT, ("src_key_padding_mask=padding", "src_key_padding_mask=~padding")))


def healthy() -> Specimen:
    """It says which do not."""
    return Specimen(_SCRIPT)
