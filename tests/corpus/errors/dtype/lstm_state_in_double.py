import numpy as np
import torch
from torch import nn


class Player(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(4, 10, batch_first=True)
        self.policy = nn.Linear(10, 3)

    def initial(self, batch):
        return torch.from_numpy(np.zeros((1, batch, 10)))

    def forward(self, observations):
        h, _ = self.rnn(observations, self.initial(observations.size(0)))
        return self.policy(h[:, -1])


player = Player()
move = player(torch.randn(2, 6, 4)).argmax(dim=1)
