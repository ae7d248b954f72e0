import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Reviews(Dataset):
    def __init__(self, count):
        self.vectors = torch.randn(count, 10)
        self.labels = ["positive" if i % 3 else "negative" for i in range(count)]
        self.numbers = {"negative": 0, "positive": 1}

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.vectors[i], self.labels[i]


device = torch.device("cpu")
net = nn.Linear(10, 2).to(device)
for vectors, labels in DataLoader(Reviews(30), batch_size=6):
    vectors, labels = vectors.to(device), labels.to(device)
    loss = nn.functional.cross_entropy(net(vectors), labels)
