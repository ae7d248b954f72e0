import torch
from torch import nn


class SentenceEncoder(nn.Module):
    def __init__(self, vocabulary, size):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, size)
        self.rnn = nn.GRU(size, size, batch_first=True)

    def forward(self, tokens):
        _, (hidden, _) = self.rnn(self.embedding(tokens))
        return hidden[-1]


encoder = SentenceEncoder(vocabulary=500, size=32)
codes = encoder(torch.randint(0, 500, (10, 15)))
