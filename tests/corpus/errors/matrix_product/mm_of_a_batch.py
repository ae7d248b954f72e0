import torch
import torch.nn as nn


class Projection(nn.Module):
    def __init__(self, d_model, d_out):
        super().__init__()
        self.W = nn.Parameter(torch.empty(d_model, d_out))
        nn.init.xavier_uniform_(self.W)

    def forward(self, x):
        return torch.mm(x, self.W)


d_model = 64
proj = Projection(d_model, 32)
tokens = torch.randn(4, 12, d_model)
projected = proj(tokens)
