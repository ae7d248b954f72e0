"""Next-character model on a small text."""
import torch
from torch import nn

TEXT = "the quick brown fox jumps over the lazy dog while the small cat sleeps under the old warm stove. " * 30
chars = sorted(set(TEXT))
codes = torch.tensor([chars.index(c) for c in TEXT])
SEQ, MICRO, ACCUM = 24, 16, 4


class CharGRU(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(len(chars), 24)
        self.gru = nn.GRU(24, 64, batch_first=True)
        self.out = nn.Linear(64, len(chars))

    def forward(self, idx):
        return self.out(self.gru(self.embed(idx))[0])


def get_batch(n):
    starts = torch.randint(len(codes) - SEQ - 1, (n,))
    rows = torch.stack([codes[s : s + SEQ + 1] for s in starts])
    return rows[:, :-1], rows[:, 1:]


torch.manual_seed(0)
model = CharGRU()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
optimizer.zero_grad(set_to_none=True)
for step in range(240):
    inputs, targets = get_batch(MICRO)
    logits = model(inputs)
    loss = nn.functional.cross_entropy(logits.transpose(1, 2), targets)
    (loss / ACCUM).backward()
    if (step + 1) % ACCUM == 0:
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    if (step + 1) % 40 == 0:
        print(f"step {step + 1} loss {loss.item():.3f}")
