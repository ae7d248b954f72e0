import torch
from torch import nn


class Forecaster(nn.Module):
    def __init__(self, window, hidden=32):
        super().__init__()
        self.rnn = nn.LSTM(input_size=window, hidden_size=hidden, batch_first=True)
        self.linear = nn.Linear(hidden, 1)

    def forward(self, series):
        out, _ = self.rnn(series)
        return self.linear(out[:, -1])


def windows(signal, size):
    rows = [signal[i : i + size] for i in range(len(signal) - size)]
    return torch.stack(rows).unsqueeze(-1), signal[size:].unsqueeze(-1)


signal = torch.sin(torch.linspace(0, 20, 40))
past, future = windows(signal, 24)
forecaster = Forecaster(window=24)
loss = nn.functional.mse_loss(forecaster(past), future)
