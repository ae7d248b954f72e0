import torch
from torch import nn

config = {"device": "gpu", "lr": 0.01, "hidden": 32}


def setup(cfg):
    device = torch.device(cfg["device"])
    model = nn.Sequential(nn.Linear(8, cfg["hidden"]), nn.ReLU(), nn.Linear(cfg["hidden"], 1)).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=cfg["lr"])
    return device, model, optimizer


device, model, optimizer = setup(config)
x = torch.randn(4, 8, device=device)
model(x).sum().backward()
