"""Copy the symbol after the marker: transformer with warm-up."""
import torch
from torch import nn

MARK, VOCAB, LENGTH = 0, 10, 10


class Copier(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.token = nn.Embedding(VOCAB, width)
        self.place = nn.Embedding(LENGTH, width)
        layer = nn.TransformerEncoderLayer(width, 4, 64, dropout=0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(width), enable_nested_tensor=False)
        self.out = nn.Linear(width, VOCAB)

    def forward(self, x):
        h = self.token(x) + self.place(torch.arange(LENGTH))
        return self.out(self.encoder(h).mean(1))


def make(n):
    x = torch.randint(1, VOCAB, (n, LENGTH))
    at = torch.randint(LENGTH - 1, (n,))
    x[torch.arange(n), at] = MARK
    return x, x[torch.arange(n), at + 1]


torch.manual_seed(0)
model = Copier()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
warmup, total = 30, 300
schedule = torch.optim.lr_scheduler.LambdaLR(
    optimizer, lambda s: s / warmup if s < warmup else max(0.05, (total - s) / (total - warmup))
)
vx, vy = make(300)
for step in range(total):
    x, y = make(64)
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    schedule.step()
    if step % 60 == 59 or step == 0:
        model.eval()
        with torch.no_grad():
            accuracy = (model(vx).argmax(1) == vy).float().mean()
        model.train()
        print(f"step {step + 1} rate {schedule.get_last_lr()[0]:.5f} loss {loss.item():.3f} accuracy {accuracy:.3f}")
