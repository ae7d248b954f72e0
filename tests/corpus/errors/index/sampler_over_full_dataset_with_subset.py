import torch
from torch.utils.data import DataLoader, Subset, SubsetRandomSampler, TensorDataset

torch.manual_seed(0)
full = TensorDataset(torch.randn(100, 5), torch.randint(0, 2, (100,)))
indices = torch.randperm(100).tolist()
train_idx, val_idx = indices[:80], indices[80:]

train_loader = DataLoader(full, batch_size=16, sampler=SubsetRandomSampler(train_idx))
val_set = Subset(full, val_idx)
val_loader = DataLoader(val_set, batch_size=16, sampler=SubsetRandomSampler(val_idx))


def count(loader):
    return sum(len(y) for _, y in loader)


seen = count(train_loader), count(val_loader)
