"""Deep Q-learning with a target network on a small ring."""
import copy
import random

import torch
from torch import nn
import torch.nn.functional as F

random.seed(0)
torch.manual_seed(0)
N, GAMMA = 8, 0.8
online = nn.Sequential(nn.Embedding(N, 16), nn.ReLU(), nn.Linear(16, 2))
target = copy.deepcopy(online).requires_grad_(False)
optimizer = torch.optim.Adam(online.parameters(), lr=1e-2)
exact = torch.zeros(N, 2)
for _ in range(100):
    for s in range(N):
        for a in range(2):
            t = (s + (1 if a else -1)) % N
            exact[s, a] = float(t == 0) + GAMMA * exact[t].max() * (t != 0)
memory = []
for step in range(1000):
    s, a = random.randrange(1, N), random.randrange(2)
    t = (s + (1 if a else -1)) % N
    memory.append((s, a, float(t == 0), t, float(t == 0)))
    if step < 100 or step % 2:
        continue
    s, a, r, t, done = (torch.tensor(c) for c in zip(*random.sample(memory, 48)))
    with torch.no_grad():
        goal = r + GAMMA * target(t).max(1).values * (1 - done)
    value = online(s).gather(1, a[:, None])[:, 0]
    loss = F.smooth_l1_loss(value, goal)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        target.load_state_dict(online.state_dict())
    if step % 200 == 100:
        with torch.no_grad():
            distance = (online(torch.arange(1, N)) - exact[1:]).abs().mean()
        print(f"step {step} loss {loss.item():.4f} distance from the exact values {distance:.3f}")
