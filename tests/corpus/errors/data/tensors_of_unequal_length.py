import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

rng = np.random.default_rng(7)
prices = rng.normal(size=250).cumsum()
lags = 5

inputs = np.lib.stride_tricks.sliding_window_view(prices, lags)
outputs = prices[lags:]

dataset = TensorDataset(torch.tensor(inputs.copy()), torch.tensor(outputs))
loader = DataLoader(dataset, batch_size=50)
batches = list(loader)
