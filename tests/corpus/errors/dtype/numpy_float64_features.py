import numpy as np
import torch
from torch import nn

rng = np.random.default_rng(0)
X = rng.normal(size=(50, 4))
y = X @ np.array([1.0, -2.0, 0.5, 3.0])

X_t = torch.from_numpy(X)
y_t = torch.from_numpy(y).float().unsqueeze(1)

regression = nn.Linear(4, 1)
optimizer = torch.optim.SGD(regression.parameters(), lr=0.1)
for _ in range(10):
    optimizer.zero_grad()
    y_hat = regression(X_t)
    loss = nn.functional.mse_loss(y_hat, y_t)
    loss.backward()
    optimizer.step()
