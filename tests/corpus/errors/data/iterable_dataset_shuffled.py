import torch
from torch.utils.data import DataLoader, IterableDataset


class LogStream(IterableDataset):
    def __init__(self, lines):
        self.lines = lines

    def __iter__(self):
        for line in self.lines:
            yield torch.tensor([float(part) for part in line.split(",")])


stream = LogStream([f"{i},{i * i}" for i in range(50)])
loader = DataLoader(stream, batch_size=10, shuffle=True)
means = [batch.mean(dim=0) for batch in loader]
