import torch
import torch.nn as nn


class DQN(nn.Module):
    def __init__(self, obs, acts):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(obs, 64), nn.ReLU(), nn.Linear(64, acts))

    def forward(self, o):
        return self.net(o)


def optimize(policy, target, batch, gamma=0.99):
    obs, action, reward, next_obs = batch
    current = policy(obs).gather(1, action)
    with torch.no_grad():
        best_next = target(next_obs).max(1).values
    return nn.functional.mse_loss(current, reward + gamma * best_next)


policy, target = DQN(5, 4), DQN(5, 4)
batch = (torch.randn(32, 5), torch.randint(0, 4, (32,)), torch.randn(32), torch.randn(32, 5))
loss = optimize(policy, target, batch)
loss.backward()
