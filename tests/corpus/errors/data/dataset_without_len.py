import torch
from torch.utils.data import DataLoader, Dataset


class Windows(Dataset):
    def __init__(self, series, length):
        self.series = series
        self.length = length

    def __size__(self):
        return len(self.series) - self.length

    def __getitem__(self, start):
        stop = start + self.length
        return self.series[start:stop], self.series[stop]


windows = Windows(torch.sin(torch.arange(200) / 9), length=24)
loader = DataLoader(windows, batch_size=16, shuffle=True)
for past, following in loader:
    assert len(past) == len(following)
