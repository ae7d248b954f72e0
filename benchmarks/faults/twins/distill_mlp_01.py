"""A small student imitates a larger teacher on two moons."""
import math

import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(0)


def moons(n):
    label = torch.randint(2, (n,))
    t = torch.rand(n) * math.pi
    x = torch.where(label == 0, torch.cos(t), 1 - torch.cos(t))
    y = torch.where(label == 0, torch.sin(t), 0.5 - torch.sin(t))
    return torch.stack([x, y], 1) + 0.1 * torch.randn(n, 2), label


teacher = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
student = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))
x, y = moons(1500)
tx, ty = moons(500)


def accuracy(model):
    with torch.no_grad():
        return (model(tx).argmax(1) == ty).float().mean().item()


opt = torch.optim.Adam(teacher.parameters(), lr=5e-3)
for _ in range(5):
    for i in torch.randperm(len(x)).split(50):
        opt.zero_grad()
        F.cross_entropy(teacher(x[i]), y[i]).backward()
        opt.step()
print(f"teacher accuracy {accuracy(teacher):.3f}")

opt = torch.optim.Adam(student.parameters(), lr=5e-3)
kl = nn.KLDivLoss(reduction="batchmean")
for epoch in range(8):
    for i in torch.randperm(len(x)).split(50):
        with torch.no_grad():
            wanted = F.softmax(teacher(x[i]), dim=1)
        loss = kl(F.log_softmax(student(x[i]), dim=1), wanted)
        opt.zero_grad()
        loss.backward()
        opt.step()
print(f"student loss {loss.item():.4f} accuracy {accuracy(student):.3f}")
