import torch
from torch import nn

torch.manual_seed(0)
tags = torch.randint(0, 2, (30, 5)).float()
posts = torch.randn(30, 18)


def balance(targets):
    positive = targets.sum()
    negative = targets.numel() - positive
    return torch.stack([positive / negative, negative / positive])


multilabel = nn.Linear(18, 5)
criterion = nn.BCEWithLogitsLoss(pos_weight=balance(tags))
loss = criterion(multilabel(posts), tags)
loss.backward()
