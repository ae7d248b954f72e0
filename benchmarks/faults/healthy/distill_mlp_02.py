"""Teach a small network with the soft answers of a large one."""
import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(1)
WARP = torch.randn(8, 4)


def points(n):
    x = torch.randn(n, 8)
    return x, (torch.sin(x @ WARP / 2)).argmax(1)


teacher = nn.Sequential(nn.Linear(8, 128), nn.ReLU(), nn.Dropout(0.1), nn.Linear(128, 4))
student = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 4))
tx, ty = points(500)
opt = torch.optim.Adam(teacher.parameters(), lr=5e-3)
teacher.train()
for step in range(250):
    x, y = points(64)
    opt.zero_grad()
    F.cross_entropy(teacher(x), y).backward()
    opt.step()
teacher.eval()
with torch.no_grad():
    print(f"teacher accuracy {(teacher(tx).argmax(1) == ty).float().mean():.3f}")
opt = torch.optim.Adam(student.parameters(), lr=5e-3)
kl, T = nn.KLDivLoss(reduction="batchmean"), 2.0
for step in range(301):
    x, y = points(64)
    with torch.no_grad():
        soft = F.softmax(teacher(x) / T, dim=1)
    out = student(x)
    loss = 0.7 * T * T * kl(F.log_softmax(out / T, dim=1), soft) + 0.3 * F.cross_entropy(out, y)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 100 == 0:
        with torch.no_grad():
            print(f"step {step} loss {loss.item():.3f} student accuracy {(student(tx).argmax(1) == ty).float().mean():.3f}")
