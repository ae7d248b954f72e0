import torch
import torch.nn.functional as F
from torch import nn


class MultiTask(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(20, 32), nn.Tanh())
        self.kind = nn.Linear(32, 4)
        self.score = nn.Linear(32, 1)

    def forward(self, record):
        code = self.encoder(record)
        return self.kind(code), self.score(code).squeeze(1)


def training_step(network, optimizer, record, kind, score):
    kind_logits, score_hat = network(record)
    kind_loss = F.cross_entropy(kind_logits, kind)
    score_loss = F.mse_loss(score_hat, score)
    optimizer.zero_grad()
    kind_loss.backward()
    score_loss.backward()
    optimizer.step()


network = MultiTask()
optimizer = torch.optim.Adam(network.parameters())
training_step(network, optimizer, torch.randn(10, 20), torch.randint(0, 4, (10,)), torch.rand(10))
