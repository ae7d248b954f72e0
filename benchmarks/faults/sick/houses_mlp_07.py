"""Energy use of buildings, plain gradient descent."""
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(1600, 8)
y = (x[:, :2].sum(1) + torch.sin(2 * x[:, 2]) * x[:, 3]).unsqueeze(1)
train_x, test_x, train_y, test_y = x[:1300], x[1300:], y[:1300], y[1300:]
model = nn.Sequential(nn.Linear(8, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
LEARNING_RATE = 0.45
optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
for epoch in range(22):
    for pick in torch.randperm(1300).split(50):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(train_x[pick]), train_y[pick])
        loss.backward()
        optimizer.step()
    if epoch % 3 == 0:
        with torch.no_grad():
            print(f"epoch {epoch + 1} loss {loss.item():.3f} test {nn.functional.mse_loss(model(test_x), test_y):.3f}")
