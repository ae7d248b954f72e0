"""Q-learning on a walk of nine cells: reach the right end."""
import random

import torch
from torch import nn
import torch.nn.functional as F

CELLS, GAMMA = 9, 0.9
random.seed(0)
torch.manual_seed(0)
eye = torch.eye(CELLS)


def move(cell, action):
    cell = max(0, min(CELLS - 1, cell + (1 if action else -1)))
    return cell, float(cell == CELLS - 1), cell == CELLS - 1


q_net = nn.Sequential(nn.Linear(CELLS, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = torch.optim.Adam(q_net.parameters(), lr=5e-3)
memory = []
cell = 0
for step in range(1500):
    action = random.randint(0, 1)
    following, reward, done = move(cell, action)
    memory.append((cell, action, reward, following, done))
    cell = random.randrange(CELLS - 1) if done else following
    if step < 100 or step % 3:
        continue
    s, a, r, s2, d = zip(*random.sample(memory, 64))
    values = q_net(eye[list(s)]).gather(1, torch.tensor(a).unsqueeze(1))
    with torch.no_grad():
        wanted = torch.tensor(r) + GAMMA * q_net(eye[list(s2)]).max(1).values * (1 - torch.tensor(d).float())
    loss = F.smooth_l1_loss(values, wanted.unsqueeze(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
with torch.no_grad():
    q = q_net(eye)
ideal = torch.tensor([GAMMA ** (CELLS - 2 - c) for c in range(CELLS - 1)])
print("value of moving right:", " ".join(f"{v:.2f}" for v in q[:-1, 1]))
print(f"distance from the exact values {(q[:-1, 1] - ideal).abs().mean():.3f}")
