import torch
from torch.utils.data import TensorDataset, random_split

samples = TensorDataset(torch.randn(1237, 6), torch.randint(0, 2, (1237,)))
n_train = int(0.8 * len(samples))
n_val = int(0.1 * len(samples))
n_test = int(0.1 * len(samples))
train_set, val_set, test_set = random_split(samples, [n_train, n_val, n_test], generator=torch.Generator().manual_seed(0))
