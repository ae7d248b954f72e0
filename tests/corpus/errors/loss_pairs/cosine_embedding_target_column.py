import torch
from torch import nn

encoder = nn.Sequential(nn.Linear(40, 16), nn.Tanh(), nn.Linear(16, 8))
criterion = nn.CosineEmbeddingLoss(margin=0.2)


def pair_batch(n):
    same = torch.randint(0, 2, (n, 1)) * 2 - 1
    return torch.randn(n, 40), torch.randn(n, 40), same


left, right, same = pair_batch(12)
loss = criterion(encoder(left), encoder(right), same)
loss.backward()
