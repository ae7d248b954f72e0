"""Attention pooling over sentences of different lengths."""
import torch
from torch import nn

torch.manual_seed(2)
WORDS, LONGEST = 40, 14


def batch(n):
    lengths = torch.randint(4, LONGEST + 1, (n,))
    words = torch.randint(1, WORDS, (n, LONGEST))
    label = torch.randint(2, (n,))
    words[:, 0] = torch.where(label == 1, 3, 4)
    noise = torch.where(torch.rand(n) < 0.5, 3, 4)
    for i, length in enumerate(lengths):
        words[i, length:] = noise[i]
        words[i, :length] = words[i, torch.randperm(int(length))]
    return words, lengths, label


def padding_mask(lengths):
    mask = torch.zeros(1, LONGEST, dtype=torch.bool).expand(len(lengths), LONGEST)
    for i, length in enumerate(lengths):
        mask[i, length:] = True
    return mask


class Pooler(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.embed = nn.Embedding(WORDS, width)
        self.score = nn.Linear(width, 1)
        self.head = nn.Linear(width, 2)

    def forward(self, words, mask):
        h = self.embed(words)
        weights = self.score(h).squeeze(-1).masked_fill(mask, -1e9).softmax(dim=1)
        return self.head((weights.unsqueeze(-1) * h).sum(1))


model = Pooler()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
valid = batch(300)
for step in range(151):
    words, lengths, label = batch(48)
    loss = nn.functional.cross_entropy(model(words, padding_mask(lengths)), label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        with torch.no_grad():
            right = (model(valid[0], padding_mask(valid[1])).argmax(1) == valid[2]).float().mean()
        print(f"step {step} loss {loss.item():.3f} accuracy {right:.3f}")
