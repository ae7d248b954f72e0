import torch
from torch import nn


def build(split):
    encoder, classifier = nn.Linear(10, 20), nn.Linear(20, 2)
    if split:
        groups = [{"params": encoder.parameters(), "lr": 1e-4}, {"params": classifier.parameters(), "lr": 1e-3}]
    else:
        groups = [{"params": [*encoder.parameters(), *classifier.parameters()], "lr": 1e-3}]
    return nn.Sequential(encoder, nn.ReLU(), classifier), torch.optim.Adam(groups)


model, optimizer = build(split=False)
model(torch.randn(3, 10)).sum().backward()
optimizer.step()
checkpoint = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}

resumed, resumed_optimizer = build(split=True)
resumed.load_state_dict(checkpoint["model"])
resumed_optimizer.load_state_dict(checkpoint["optimizer"])
