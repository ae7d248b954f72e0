import torch
from torch import nn

scorer = nn.Sequential(nn.Linear(16, 32), nn.ELU(), nn.Linear(32, 10))
scorer.requires_grad_(False)

image = torch.randn(1, 16, requires_grad=True) * 0.05
goal = torch.tensor([3])
step_size = 0.5

for _ in range(20):
    loss = nn.functional.cross_entropy(scorer(image), goal)
    loss.backward()
    with torch.no_grad():
        image -= step_size * image.grad
        image.grad = None
