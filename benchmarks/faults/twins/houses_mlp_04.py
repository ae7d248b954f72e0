"""Regression with dropout; predictions for new rows at the end."""
import torch
from torch import nn


class Regressor(nn.Module):
    def __init__(self, columns):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(columns, 128), nn.ReLU(), nn.Dropout(0.25), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 1)
        )

    def forward(self, x):
        return self.layers(x)


torch.manual_seed(19)
weights = torch.tensor([[1.0], [-2.0], [0.5], [0.0], [1.5], [0.0], [0.0]])
x = torch.randn(2200, 7)
y = x @ weights + torch.sin(2 * x[:, :1])
train_x, train_y, new_x, new_y = x[:2000], y[:2000], x[2000:], y[2000:]
model = Regressor(7)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
loss_fn = nn.MSELoss()
for epoch in range(10):
    model.train()
    for pick in torch.randperm(2000).split(50):
        optimizer.zero_grad()
        loss = loss_fn(model(train_x[pick]), train_y[pick])
        loss.backward()
        optimizer.step()
    if epoch % 3 == 0:
        print(f"epoch {epoch}: loss {loss.item():.3f}")
model.eval()
with torch.no_grad():
    prediction = model(new_x)
print(f"error on new rows {loss_fn(prediction, new_y).item():.3f}")
