import tempfile
from pathlib import Path

import torch
from torch import nn


class Forecaster(nn.Module):
    def __init__(self, horizon):
        super().__init__()
        self.rnn = nn.GRU(1, 8, batch_first=True)
        self.out = nn.Linear(8, horizon)

    def forward(self, series):
        _, last = self.rnn(series)
        return self.out(last[-1])


with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "forecaster.pt")
    torch.save(Forecaster(3), path)
    model = torch.load(path)
    forecast = model(torch.randn(2, 30, 1))
