import torch
from torch import nn
from torch.optim.lr_scheduler import StepLR

model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = StepLR(model, step_size=2, gamma=0.5)

for _ in range(4):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(torch.randn(6, 4)), torch.randint(0, 3, (6,))).backward()
    optimizer.step()
    scheduler.step()
