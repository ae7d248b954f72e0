"""Weekly sales from five numbers."""
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(1500, 5)
y = x[:, 0] - x[:, 1] * x[:, 2] + 0.1 * torch.randn(1500)
model = nn.Sequential(nn.Linear(5, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(6):
    running = 0.0
    for pick in torch.randperm(1200).split(40):
        prediction = model(x[pick])
        loss = torch.mean((prediction - y[pick]) ** 2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running = running + loss
    with torch.no_grad():
        test = ((model(x[1200:]).squeeze(1) - y[1200:]) ** 2).mean()
    print(f"epoch {epoch} loss {running / 30:.3f} test {test:.3f}")
