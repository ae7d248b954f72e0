import torch
from torch import nn


def parameter_groups(module, weight_decay):
    decay, no_decay = [], []
    for parameter in module.parameters():
        (decay if parameter.ndim > 1 else no_decay).append(parameter)
    return [{"parameters": decay, "weight_decay": weight_decay}, {"parameters": no_decay, "weight_decay": 0.0}]


transformer = nn.TransformerEncoderLayer(16, nhead=2, dim_feedforward=32, batch_first=True)
optimizer = torch.optim.AdamW(parameter_groups(transformer, 0.1), lr=1e-3)
transformer(torch.randn(2, 5, 16)).mean().backward()
optimizer.step()
