import torch
from torch import nn


class Trainer:
    def __init__(self, module, max_norm=1.0):
        self.module = module
        self.max_norm = max_norm
        self.optimizer = torch.optim.AdamW(module.parameters())
        self.scaler = torch.amp.GradScaler("cpu")

    def gradient_norm(self):
        self.scaler.unscale_(self.optimizer)
        grads = [parameter.grad for parameter in self.module.parameters()]
        return torch.linalg.vector_norm(torch.stack([grad.norm() for grad in grads]))

    def step(self, inputs, targets):
        self.optimizer.zero_grad()
        loss = nn.functional.l1_loss(self.module(inputs), targets)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.module.parameters(), self.max_norm)
        norm = self.gradient_norm()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return norm


trainer = Trainer(nn.Linear(6, 2))
norms = [trainer.step(torch.randn(4, 6), torch.randn(4, 2)) for _ in range(3)]
