import torch
from torch import nn


def topk_accuracy(logits, labels, k=5):
    top = logits.topk(k, dim=1).indices
    return (top == labels.unsqueeze(1)).any(dim=1).float().mean().item()


wine = nn.Linear(13, 3)
samples, cultivars = torch.randn(30, 13), torch.randint(0, 3, (30,))
with torch.no_grad():
    score = topk_accuracy(wine(samples), cultivars)
