"""Three-fold cross-validation of a small regression network."""
import torch
from torch import nn

torch.manual_seed(11)
x = torch.randn(1500, 6)
y = (x[:, :1] * x[:, 1:2] + 1.5 * x[:, 2:3] - x[:, 3:4]) + 0.05 * torch.randn(1500, 1)


def build():
    return nn.Sequential(nn.Linear(6, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 1))


criterion = nn.MSELoss()
folds = torch.randperm(len(x)).chunk(3)
scores = []
for k, held_out in enumerate(folds):
    train_idx = torch.cat([f for j, f in enumerate(folds) if j != k])
    model = build()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(8):
        for pick in train_idx[torch.randperm(len(train_idx))].split(40):
            model.zero_grad()
            loss = criterion(model(x[pick]), y[pick])
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        scores.append(criterion(model(x[held_out]), y[held_out]).item())
    print(f"fold {k}: held-out error {scores[-1]:.4f}")
