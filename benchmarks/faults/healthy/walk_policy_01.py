"""Learn to walk to the right end of a corridor with REINFORCE."""
import torch
from torch import nn
from torch.distributions import Categorical

CELLS, LIMIT = 7, 30


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(CELLS, 32), nn.Tanh(), nn.Linear(32, 2))

    def forward(self, state):
        return Categorical(logits=self.net(state))


def play(policy):
    cell, logs, rewards = CELLS // 2, [], []
    for _ in range(LIMIT):
        choice = policy(torch.eye(CELLS)[cell])
        action = choice.sample()
        logs.append(choice.log_prob(action))
        cell = max(0, cell + (1 if action.item() else -1))
        done = cell == CELLS - 1
        rewards.append(1.0 if done else -0.05)
        if done:
            break
    return torch.stack(logs), rewards


torch.manual_seed(0)
policy = Policy()
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
baseline, recent = 0.0, []
for episode in range(161):
    logs, rewards = play(policy)
    returns, total = [], 0.0
    for r in reversed(rewards):
        total = r + 0.95 * total
        returns.insert(0, total)
    returns = torch.tensor(returns)
    loss = -(logs * (returns - baseline)).sum()
    baseline = 0.9 * baseline + 0.1 * returns.mean().item()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    recent = (recent + [len(rewards)])[-20:]
    if episode % 20 == 0:
        print(f"episode {episode} loss {loss.item():.2f} mean length {sum(recent) / len(recent):.1f}")
