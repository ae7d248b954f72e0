import torch
from torch import nn


class Perceptron(nn.Module):
    def __init__(self, inputs, hidden, outputs):
        self.hidden = nn.Linear(inputs, hidden)
        self.outputs = nn.Linear(hidden, outputs)

    def forward(self, x):
        return self.outputs(torch.sigmoid(self.hidden(x)))


perceptron = Perceptron(4, 16, 3)
scores = perceptron(torch.randn(2, 4))
