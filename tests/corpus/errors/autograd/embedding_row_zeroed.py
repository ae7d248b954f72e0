import torch
from torch import nn


class Tagger(nn.Module):
    def __init__(self, words, tags, pad):
        super().__init__()
        self.embedding = nn.Embedding(words, 16)
        self.embedding.weight[pad] = 0.0
        self.encoder = nn.GRU(16, 16, batch_first=True)
        self.tags = nn.Linear(16, tags)

    def forward(self, sentence):
        encoded, _ = self.encoder(self.embedding(sentence))
        return self.tags(encoded)


tagger = Tagger(words=300, tags=9, pad=0)
scores = tagger(torch.randint(0, 300, (4, 11)))
