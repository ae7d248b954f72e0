"""Majority vote over a sequence of symbols with a transformer encoder."""
import torch
from torch import nn

VOCAB, LENGTH = 4, 11


class Voter(nn.Module):
    def __init__(self, width=32, heads=2, layers=1):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, width)
        block = nn.TransformerEncoderLayer(width, heads, 4 * width, dropout=0.1, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(block, layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, VOCAB)

    def forward(self, tokens):
        return self.head(self.norm(self.blocks(self.embed(tokens))).mean(1))


def votes(n):
    tokens = torch.randint(VOCAB, (n, LENGTH))
    counts = nn.functional.one_hot(tokens, VOCAB).sum(1).float()
    return tokens, (counts + torch.arange(VOCAB) * 0.01).argmax(1)


torch.manual_seed(14)
model = Voter()
valid_x, valid_y = votes(400)


def validate():
    model.eval()
    with torch.no_grad():
        return (model(valid_x).argmax(1) == valid_y).float().mean().item()


print(f"before training: accuracy {validate():.3f}")
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for step in range(240):
    x, y = votes(64)
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"after training: loss {loss.item():.3f} accuracy {validate():.3f}")
