"""Five tags per item, a fixed number of steps."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
mix = torch.randn(16, 5)
x = torch.randn(1500, 16)
tags = (x @ mix / 4 > 0.2).float()
loader = DataLoader(TensorDataset(x[:1200], tags[:1200]), batch_size=60)


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 5))

    def forward(self, x):
        return torch.sigmoid(self.net(x))


model = Tagger()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for step in range(201):
    features, wanted = next(iter(loader))
    loss = nn.functional.binary_cross_entropy_with_logits(model(features), wanted)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        with torch.no_grad():
            right = ((model(x[1200:]) > 0.5) == tags[1200:].bool()).float().mean()
        print(f"step {step} loss {loss.item():.3f} tags right {right:.3f}")
