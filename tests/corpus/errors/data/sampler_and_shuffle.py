import torch
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler


def balanced_loader(features, labels, batch_size):
    counts = torch.bincount(labels)
    weights = 1.0 / counts[labels].float()
    sampler = WeightedRandomSampler(weights, num_samples=len(labels))
    dataset = TensorDataset(features, labels)
    return DataLoader(dataset, batch_size=batch_size, sampler=sampler, shuffle=True)


labels = torch.cat([torch.zeros(180), torch.ones(20)]).long()
loader = balanced_loader(torch.randn(200, 5), labels, batch_size=25)
share = sum(batch_labels.sum() for _, batch_labels in loader) / 200
