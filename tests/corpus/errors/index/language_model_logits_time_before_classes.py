import torch
from torch import nn
from torch.nn import functional as F

VOCAB, CONTEXT = 50, 12


class BigramLM(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(VOCAB, VOCAB)

    def forward(self, idx, targets=None):
        logits = self.table(idx)
        if targets is None:
            return logits, None
        loss = F.cross_entropy(logits, targets)
        return logits, loss


data = torch.randint(0, VOCAB, (200,))
starts = torch.randint(0, 200 - CONTEXT - 1, (4,)).tolist()
xb = torch.stack([data[s : s + CONTEXT] for s in starts])
yb = torch.stack([data[s + 1 : s + CONTEXT + 1] for s in starts])
logits, loss = BigramLM()(xb, yb)
loss.backward()
