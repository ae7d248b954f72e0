import torch
from torch import nn

N_ACTIONS = 4
torch.manual_seed(0)
q_net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, N_ACTIONS))


def random_transitions(n):
    states = torch.randn(n, 6)
    actions = torch.randint(1, N_ACTIONS + 1, (n,))
    rewards = torch.randn(n)
    return states, actions, rewards


def td_loss(states, actions, rewards):
    q_values = q_net(states)
    chosen = q_values.gather(1, actions.unsqueeze(1)).squeeze(1)
    return nn.functional.smooth_l1_loss(chosen, rewards)


loss = td_loss(*random_transitions(32))
loss.backward()
