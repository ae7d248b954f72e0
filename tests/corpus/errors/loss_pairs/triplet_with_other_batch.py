import torch
from torch import nn

torch.manual_seed(0)
embed = nn.Linear(32, 8)
criterion = nn.TripletMarginLoss(margin=1.0)
bank = torch.randn(200, 32)
identity = torch.arange(200) % 10


def sample_triplets(n):
    first = identity == 0
    anchor = bank[first][:n]
    positive = bank[first][-n:]
    negative = bank[~first][: n - 4]
    return anchor, positive, negative


anchor, positive, negative = (embed(t) for t in sample_triplets(16))
loss = criterion(anchor, positive, negative)
loss.backward()
