import torch
from torch import nn


class Autoencoder(nn.Module):
    def __init__(self, words, width):
        super().__init__()
        self.encode = nn.Embedding(words, width)
        self.decode = nn.Linear(width, words)
        self.decode.weight = self.encode.weight.data

    def forward(self, tokens):
        return self.decode(self.encode(tokens).mean(dim=1))


model = Autoencoder(words=80, width=12)
tokens = torch.randint(0, 80, (5, 9))
loss = nn.functional.cross_entropy(model(tokens), tokens[:, 0])
loss.backward()
