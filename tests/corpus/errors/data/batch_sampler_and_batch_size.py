import torch
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

dataset = TensorDataset(torch.randn(90, 3), torch.randn(90))
sampler = BatchSampler(RandomSampler(dataset), batch_size=30, drop_last=True)
loader = DataLoader(dataset, batch_sampler=sampler, batch_size=30, drop_last=True)
batches = list(loader)
