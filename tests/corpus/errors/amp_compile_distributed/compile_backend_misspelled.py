import torch
from torch import nn

options = {"backend": "inductr", "dynamic": False}

network = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))
compiled = torch.compile(network, **options)
result = compiled(torch.randn(2, 16))
