import torch
from torch.func import vmap


def huber(residual, delta=1.0):
    size = residual.abs()
    if size.item() < delta:
        return 0.5 * residual**2
    return delta * (size - 0.5 * delta)


predictions = torch.linspace(-3, 3, 13)
observations = torch.zeros(13)
losses = vmap(huber)(predictions - observations)
