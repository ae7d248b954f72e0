import torch
from torch import nn

config = {"lr": 3e-4, "beta1": 0.9, "beta2": 9.99, "eps": 1e-8}


class Learner:
    def __init__(self, module, config):
        self.module = module
        self.optimizer = torch.optim.Adam(
            module.parameters(), lr=config["lr"], betas=(config["beta1"], config["beta2"]), eps=config["eps"]
        )

    def update(self, batch):
        self.optimizer.zero_grad()
        self.module(batch).mean().backward()
        self.optimizer.step()


Learner(nn.Linear(3, 3), config).update(torch.randn(2, 3))
