import torch
import torch.nn as nn
import torch.nn.functional as F


class PolicyNet(nn.Module):
    def __init__(self, n_observations, n_actions):
        super().__init__()
        self.layer1 = nn.Linear(n_observations, 128)
        self.layer2 = nn.Linear(128, n_actions)

    def forward(self, s):
        return self.layer2(F.relu(self.layer1(s)))


class FakeEnv:
    n_actions = 2

    def reset(self):
        return [0.01, -0.02, 0.03, 0.04]


def select_action(net, state):
    with torch.no_grad():
        return net(state).argmax().item()


env = FakeEnv()
policy_net = PolicyNet(env.n_actions, env.n_actions)
state = torch.tensor(env.reset(), dtype=torch.float32)
action = select_action(policy_net, state)
