import torch
from torch import nn

torch.manual_seed(0)
samples = torch.randn(60, 9)
labels = torch.randint(0, 6, (60,))
net = nn.Sequential(nn.Linear(9, 24), nn.ReLU(), nn.Linear(24, 6))
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)


def get_batch(start, size=20):
    x = samples[start : start + size]
    y = labels[:]
    return x, y


for start in range(0, 60, 20):
    x, y = get_batch(start)
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(net(x), y)
    loss.backward()
    optimizer.step()
