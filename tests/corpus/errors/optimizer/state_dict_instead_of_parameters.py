import torch
from torch import nn

generator = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 20))
optimizer = torch.optim.RMSprop(generator.state_dict(), lr=5e-5)
for _ in range(3):
    optimizer.zero_grad()
    generator(torch.randn(8, 10)).mean().backward()
    optimizer.step()
