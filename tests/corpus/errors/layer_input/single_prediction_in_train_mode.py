import torch
import torch.nn as nn


def make_model():
    return nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 1))


def fit(model, inputs, targets, steps=10):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        optimizer.step()


def predict(model, row):
    with torch.no_grad():
        return model(row.unsqueeze(0)).item()


houses, prices = torch.randn(50, 8), torch.randn(50, 1)
price_model = make_model()
fit(price_model, houses, prices)
estimate = predict(price_model, houses[0])
