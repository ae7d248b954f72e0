"""A sequence model can see the token that it is to predict.

## What it means
The target is the next token of the input, and the output depends on later tokens (no causal mask, a recurrent layer that
also runs backwards). Or the target is the token at the same place, in a model that goes from left to right. Either way it
learns to copy: the loss falls to nothing, and what it generates is worthless.
## Evidence
`shift`: the target at t is the input at t + shift, for the share `equal` of the targets; `changed`: of the `positions`
after which the input was changed, in an extra forward in eval mode, how many changed an output up to there.
## When this is fine
Autoencoders, whose outputs depend on the whole sequence and whose targets are not shifted; masked tokens, which the input
does not show; tokens without a target, as in a prefix.
## Fix
A causal mask (`nn.Transformer.generate_square_subsequent_mask`, `is_causal=True`), a unidirectional layer; targets shifted
by one: `x, y = tokens[:, :-1], tokens[:, 1:]`.
## References
Vaswani et al. 2017, arXiv:1706.03762 (the decoder's mask).
"""

from collections.abc import Iterator

from torchclinic.observe.records import AnswerInInput
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen, Undecided
from torchclinic.rules.specimens import changed

RULE = Rule("LOS011", "answer-in-input", "error", "probe", AnswerInInput, __doc__, needs=("tokens for targets",))


def check(record: AnswerInInput) -> Iterator[Finding]:
    if record.reason or not record.positions:
        raise Undecided(f"{record.model}: {record.reason or 'no position could be tried'}")
    ahead = record.shift > 0 and 2 * record.changed > record.positions
    same = record.shift == 0 and record.changed == 0
    if not (ahead or same):
        return
    yield RULE.finding(
        f"{record.model} is to predict the token {record.shift} ahead of its input, and its outputs depend on what comes after "
        f"them: it can copy."
        if ahead
        else f"The targets of {record.model} are its inputs, place by place, and it reads from left to right: it can copy.",
        line=record.line,
        step=record.step,
        evidence={"shift": record.shift, "equal": record.share, "positions": record.positions, "changed": record.changed},
        fix="Give the attention a causal mask, or let the recurrent layer run forwards only."
        if ahead
        else "Shift the targets by one: inputs `tokens[:, :-1]`, targets `tokens[:, 1:]`.",
    )


_SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.rnn, self.last = nn.Embedding(12, 16), nn.GRU(16, 24, batch_first=True), nn.Linear(24, 12)

    def forward(self, tokens):
        return self.last(self.rnn(self.table(tokens))[0])

model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
start = torch.randint(0, 12, (96, 1))
text = (start + torch.arange(17) * torch.randint(1, 3, (96, 1))) % 12
for _ in range(2):
    for rows in text.split(16):
        tokens, targets = rows[:, :-1], rows[:, 1:]
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(tokens).flatten(0, 1), targets.flatten()).backward()
        optimizer.step()
"""


def sick() -> Specimen:
    """The targets are not shifted."""
    return Specimen(changed(_SCRIPT, ("rows[:, 1:]", "rows[:, :-1]")))


def healthy() -> Specimen:
    """They are."""
    return Specimen(_SCRIPT)
