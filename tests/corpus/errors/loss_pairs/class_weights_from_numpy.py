import numpy as np
import torch
from torch import nn

y_train = np.array([0] * 50 + [1] * 8 + [2] * 2)
balanced = len(y_train) / (3 * np.bincount(y_train))


class Trainer:
    def __init__(self, weights):
        self.model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        self.criterion = nn.CrossEntropyLoss(weight=torch.from_numpy(weights))

    def step(self, x, y):
        loss = self.criterion(self.model(x), y)
        loss.backward()
        return loss.item()


trainer = Trainer(balanced)
trainer.step(torch.randn(60, 4), torch.from_numpy(y_train))
