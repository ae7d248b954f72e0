import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Reviews(Dataset):
    def __init__(self):
        self.vectors = torch.randn(50, 30)
        self.stars = [1 + i % 5 for i in range(50)]

    def __len__(self):
        return len(self.stars)

    def __getitem__(self, i):
        return self.vectors[i], self.stars[i]


rating_net = nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Linear(32, 5))
criterion = nn.CrossEntropyLoss()


def run_epoch(loader):
    for vectors, stars in loader:
        scores = rating_net(vectors)
        loss = criterion(scores, stars)
        loss.backward()


run_epoch(DataLoader(Reviews(), batch_size=10))
