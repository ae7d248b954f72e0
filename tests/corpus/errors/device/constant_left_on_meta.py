import torch
from torch import nn


class Scaled(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.linear = nn.Linear(features, features)
        self.scale = torch.full((features,), 0.5)

    def forward(self, x):
        return self.linear(x) * self.scale


def materialize(build, state):
    with torch.device("meta"):
        module = build()
    module.to_empty(device="cpu")
    module.load_state_dict(state)
    return module


source = Scaled(6)
copy = materialize(lambda: Scaled(6), source.state_dict())
out = copy(torch.ones(2, 6))
