import torch
from torch import nn


class ChurnModel(nn.Module):
    def __init__(self, n_features):
        super().__init__()
        self.hidden = nn.Linear(n_features, 16)
        self.out = nn.Linear(16, 1)
        self.loss = nn.BCEWithLogitsLoss()

    def forward(self, x):
        return self.out(torch.relu(self.hidden(x)))

    def training_step(self, batch):
        x, labels = batch
        logits = self(x)
        return self.loss(logits, labels)


churn = ChurnModel(11)
batch = (torch.randn(16, 11), torch.randint(0, 2, (16,)).float())
churn.training_step(batch).backward()
