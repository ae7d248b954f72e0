import torch
from torch import nn


class RateModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(6, 24)
        self.log_rate = nn.Linear(24, 1)
        self.act = nn.ReLU(inplace=True)

    def forward(self, covariates):
        h = self.act(self.hidden(covariates))
        rate = torch.exp(self.log_rate(h))
        return self.act(rate)


counts = torch.poisson(torch.full((50, 1), 3.0))
net = RateModel()
rate = net(torch.randn(50, 6))
loss = (rate - counts * torch.log(rate + 1e-6)).mean()
loss.backward()
