import torch
from torch import nn


class SlotInit(nn.Module):
    def __init__(self, slots, dim):
        super().__init__()
        self.project = nn.Linear(dim, dim)
        self.slots = nn.Parameter(torch.randn(slots, dim))
        self.register_parameter("queries", self.project(self.slots))

    def forward(self, tokens):
        attention = torch.softmax(self.queries @ tokens.transpose(1, 2), dim=-1)
        return attention @ tokens


slots = SlotInit(slots=4, dim=8)
pooled = slots(torch.randn(2, 11, 8))
