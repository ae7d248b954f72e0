import torch
from torch import nn

genres = torch.tensor([[1, 0, 1], [0, 1, 0], [1, 1, 0], [0, 0, 1]])
plots = torch.randn(4, 20)


class MultiLabel(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(20, 3)
        self.criterion = nn.BCEWithLogitsLoss()

    def forward(self, x, labels=None):
        logits = self.linear(x)
        if labels is not None:
            return self.criterion(logits, labels), logits
        return logits


model = MultiLabel()
loss, logits = model(plots, genres)
loss.backward()
