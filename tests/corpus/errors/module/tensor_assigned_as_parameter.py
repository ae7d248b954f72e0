import torch
from torch import nn


def orthogonal(rows, columns):
    basis, _ = torch.linalg.qr(torch.randn(rows, columns))
    return basis


class Projector(nn.Module):
    def __init__(self, dim, rank):
        super().__init__()
        self.down = nn.Linear(dim, rank, bias=False)
        self.up = nn.Linear(rank, dim, bias=False)
        self.up.weight = orthogonal(dim, rank)

    def forward(self, x):
        return self.up(self.down(x))


projector = Projector(dim=32, rank=4)
restored = projector(torch.randn(6, 32))
