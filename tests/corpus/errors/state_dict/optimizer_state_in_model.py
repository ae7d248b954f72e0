import io

import torch
from torch import nn


def save(file, **parts):
    torch.save({name: part.state_dict() for name, part in parts.items()}, file)
    file.seek(0)


def resume(file, net, optimizer, scheduler):
    states = torch.load(file)
    for part, state in zip((net, optimizer, scheduler), states.values(), strict=True):
        part.load_state_dict(state)


net = nn.Linear(3, 2)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9)
file = io.BytesIO()
save(file, optimizer=optimizer, net=net, scheduler=scheduler)
resume(file, net, optimizer, scheduler)
