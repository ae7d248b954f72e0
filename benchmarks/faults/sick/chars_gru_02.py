"""Character model; the curve of the loss is collected for a plot."""
import torch
from torch import nn

TEXT = "she sells sea shells on the sea shore the shells she sells are sea shells i am sure " * 20
symbols = sorted(set(TEXT))
codes = torch.tensor([symbols.index(c) for c in TEXT])


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(len(symbols), 16)
        self.gru = nn.GRU(16, 48, batch_first=True)
        self.out = nn.Linear(48, len(symbols))

    def forward(self, x):
        return self.out(self.gru(self.embed(x))[0])


torch.manual_seed(0)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
curve = []
for step in range(121):
    starts = torch.randint(len(codes) - 21, (16,))
    batch = torch.stack([codes[s : s + 21] for s in starts])
    loss = nn.functional.cross_entropy(model(batch[:, :-1]).transpose(1, 2), batch[:, 1:])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    curve.append(loss)
    if step % 30 == 0:
        print(f"step {step} mean of the last losses {sum(curve[-10:]) / len(curve[-10:]):.3f}")
