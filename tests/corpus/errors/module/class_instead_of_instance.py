import torch
from torch import nn


class Scorer(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, x):
        return self.body(x)


MODELS = {"scorer": Scorer, "linear": nn.Linear(3, 1)}


def make(name):
    model = MODELS[name]
    optimizer = torch.optim.Adam(model.parameters())
    return model, optimizer


model, optimizer = make("scorer")
model(torch.randn(4, 3)).mean().backward()
optimizer.step()
