"""Learn an embedding in which points of one group lie close together."""
import torch
from torch import nn

torch.manual_seed(0)
GROUPS = 5
centres = torch.randn(GROUPS, 10)


def draw(n):
    group = torch.randint(GROUPS, (n,))
    return centres[group] + 0.7 * torch.randn(n, 10), group


def distances(z):
    squared = ((z.unsqueeze(0) - z.unsqueeze(1)) ** 2).sum(-1)
    return torch.sqrt(squared)


def contrastive(z, group, margin=2.0):
    d = distances(z)
    same = (group.unsqueeze(0) == group.unsqueeze(1)).float()
    return (same * d**2 + (1 - same) * torch.relu(margin - d) ** 2).mean()


net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
test_x, test_g = draw(300)
for step in range(201):
    x, g = draw(64)
    loss = contrastive(net(x), g)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        with torch.no_grad():
            z = net(test_x)
            nearest = (torch.cdist(z, z) + 1e6 * torch.eye(300)).argmin(1)
        print(f"step {step} loss {loss.item():.4f} nearest neighbour agrees {(test_g[nearest] == test_g).float().mean():.3f}")
