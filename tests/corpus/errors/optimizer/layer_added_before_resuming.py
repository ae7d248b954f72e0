import io

import torch
from torch import nn


def make(normalize):
    layers = [nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 1)]
    if normalize:
        layers.append(nn.BatchNorm1d(1))
    return nn.Sequential(*layers)


def save(net, optimizer, file):
    torch.save({"net": net.state_dict(), "optimizer": optimizer.state_dict()}, file)
    file.seek(0)


first = make(normalize=False)
first_optimizer = torch.optim.Adam(first.parameters())
first(torch.randn(4, 16)).mean().backward()
first_optimizer.step()
file = io.BytesIO()
save(first, first_optimizer, file)

saved = torch.load(file)
second = make(normalize=True)
second.load_state_dict(saved["net"], strict=False)
second_optimizer = torch.optim.Adam(second.parameters())
second_optimizer.load_state_dict(saved["optimizer"])
second(torch.randn(4, 16)).mean().backward()
second_optimizer.step()
