import torch
from torch import nn

settings = {"gpus": ""}


def pick_device(gpus):
    first = gpus.split(",")[0]
    return torch.device(f"cuda:{first}")


device = pick_device(settings["gpus"])
net = nn.Linear(3, 3).to(device)
out = net(torch.randn(2, 3, device=device))
