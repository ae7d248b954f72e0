import torch
from torch import nn


def pretrained():
    return nn.ModuleDict({"trunk": nn.Linear(12, 24), "head": nn.Linear(24, 100)})


net = pretrained()
net["trunk"].requires_grad_(False)
optimizer = torch.optim.SGD(net["head"].parameters(), lr=0.1)
net["head"] = nn.Linear(24, 5)
scaler = torch.amp.GradScaler("cpu")

for _ in range(2):
    inputs, labels = torch.randn(8, 12), torch.randint(0, 5, (8,))
    optimizer.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = nn.functional.cross_entropy(net["head"](torch.relu(net["trunk"](inputs))), labels)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
