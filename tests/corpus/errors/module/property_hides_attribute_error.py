import torch
from torch import nn


class Decoder(nn.Module):
    def __init__(self, layers, width):
        super().__init__()
        self.layers = layers
        self.units = width
        self.rnn = nn.LSTM(width, width, num_layers=layers)

    @property
    def start_state(self):
        zeros = torch.zeros(self.layers, 1, self.width)
        return zeros, zeros.clone()

    def forward(self, steps):
        output, _ = self.rnn(steps, self.start_state)
        return output


decoder = Decoder(layers=2, width=10)
decoded = decoder(torch.randn(7, 1, 10))
