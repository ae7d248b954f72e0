import torch
from torch import nn


class Decoder(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.start = nn.Parameter(torch.zeros(1, dim))
        self.cell = nn.GRUCell(dim, dim)

    def forward(self, context, steps):
        batch, dim = context.shape
        token = self.start.expand(dim, batch)
        outputs = []
        for _ in range(steps):
            context = self.cell(token, context)
            token = context
            outputs.append(token)
        return torch.stack(outputs, dim=1)


decoder = Decoder(16)
generated = decoder(torch.randn(5, 16), steps=3)
