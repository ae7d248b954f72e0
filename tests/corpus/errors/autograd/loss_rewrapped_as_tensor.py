import torch
from torch import nn


def per_sample_losses(model, batch, targets):
    losses = []
    for features, target in zip(batch, targets, strict=True):
        losses.append((model(features) - target).pow(2).item())
    return losses


def train(model, batch, targets, steps=5):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(steps):
        losses = per_sample_losses(model, batch, targets)
        loss = torch.tensor(losses).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


train(nn.Linear(7, 1), torch.randn(12, 7), torch.randn(12))
