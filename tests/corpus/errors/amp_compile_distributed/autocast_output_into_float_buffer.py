import torch
from torch import nn


class Mixture(nn.Module):
    def __init__(self, dim, experts):
        super().__init__()
        self.router = nn.Linear(dim, experts)
        self.experts = nn.ModuleList(nn.Linear(dim, dim) for _ in range(experts))

    def forward(self, tokens):
        choice = self.router(tokens).argmax(dim=-1)
        output = torch.zeros_like(tokens)
        for number, expert in enumerate(self.experts):
            rows = (choice == number).nonzero().squeeze(1)
            output[rows] = expert(tokens[rows])
        return output


mixture = Mixture(dim=16, experts=2)
with torch.autocast("cpu", dtype=torch.bfloat16):
    mixed = mixture(torch.randn(32, 16))
