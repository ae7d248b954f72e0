import torch
from torch import nn


class SeqTagger(nn.Module):
    def __init__(self, feats=64, tags=5):
        super().__init__()
        self.rnn = nn.GRU(16, feats, batch_first=True)
        self.bn = nn.BatchNorm1d(feats)
        self.tag = nn.Linear(feats, tags)

    def forward(self, x):
        h, _ = self.rnn(x)
        h = self.bn(h)
        return self.tag(h)


tagger = SeqTagger()
tags = tagger(torch.randn(8, 20, 16))
