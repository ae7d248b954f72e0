"""Does the first symbol of a sequence come back at its end? A small transformer encoder decides."""
import torch
from torch import nn

VOCAB, LENGTH, WIDTH = 8, 10, 32


def make_batch(count, generator):
    tokens = torch.randint(VOCAB, (count, LENGTH), generator=generator)
    same = torch.rand(count, generator=generator) < 0.5
    tokens[same, -1] = tokens[same, 0]
    return {"tokens": tokens, "label": (tokens[:, 0] == tokens[:, -1]).long()}


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, WIDTH)
        self.position = torch.zeros(1, LENGTH, WIDTH).normal_(std=0.5).requires_grad_()
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 64, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, 2)

    def forward(self, tokens):
        h = self.encoder(self.embed(tokens) + self.position)
        return self.head(h.mean(dim=1))


torch.manual_seed(0)
g = torch.Generator().manual_seed(1)
model = Encoder()
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
valid = make_batch(500, g)
for step in range(301):
    batch = make_batch(64, g)
    loss = nn.functional.cross_entropy(model(batch["tokens"]), batch["label"])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        model.eval()
        with torch.no_grad():
            acc = (model(valid["tokens"]).argmax(-1) == valid["label"]).float().mean()
        model.train()
        print(f"step {step} loss {loss.item():.3f} valid accuracy {acc:.3f}")
