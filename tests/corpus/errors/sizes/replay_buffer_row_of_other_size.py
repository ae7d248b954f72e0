import torch


class ReplayBuffer:
    def __init__(self, capacity, state_dim):
        self.states = torch.zeros(capacity, state_dim)
        self.rewards = torch.zeros(capacity)
        self.position = 0

    def push(self, state, reward):
        self.states[self.position] = state
        self.rewards[self.position] = reward
        self.position = (self.position + 1) % len(self.states)


buffer = ReplayBuffer(capacity=100, state_dim=3)
observation = torch.tensor([0.1, 0.0, -0.2, 0.4])
for _ in range(5):
    buffer.push(observation, 1.0)
