import torch
from torch import nn


def make():
    return nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 2))


trained_weights = make().state_dict()

with torch.device("meta"):
    model = make()

model = model.to("cpu")
model.load_state_dict(trained_weights)
model.eval()
prediction = model(torch.randn(1, 10))
