import torch
from torch.utils.data import DataLoader, TensorDataset


def make_windows(series, window):
    x = torch.stack([series[i : i + window] for i in range(len(series) - window)])
    y = series
    return x, y


series = torch.cumsum(torch.randn(100), dim=0)
x, y = make_windows(series, window=5)
dataset = TensorDataset(x, y)
loader = DataLoader(dataset, batch_size=16, shuffle=True)
first = next(iter(loader))
