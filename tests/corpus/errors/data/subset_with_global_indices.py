import torch
from torch.utils.data import DataLoader, Subset, TensorDataset

full = TensorDataset(torch.randn(100, 4), torch.arange(100) % 2)
train = Subset(full, range(20, 100))
hard = [21, 35, 77, 84, 93]
hard_examples = Subset(train, hard)

seen = 0
for features, _ in DataLoader(hard_examples, batch_size=1):
    seen += len(features)
