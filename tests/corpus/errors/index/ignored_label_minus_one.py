import torch
import torch.nn.functional as F
from torch import nn


class Tagger(nn.Module):
    def __init__(self, n_tags):
        super().__init__()
        self.emb = nn.Embedding(60, 12)
        self.out = nn.Linear(12, n_tags)

    def forward(self, words):
        return F.log_softmax(self.out(self.emb(words)), dim=-1)

    def loss(self, words, tags):
        log_probs = self(words)
        return F.nll_loss(log_probs.view(-1, log_probs.size(-1)), tags.view(-1))


torch.manual_seed(0)
words = torch.randint(0, 60, (3, 7))
tags = torch.randint(0, 4, (3, 7))
tags[:, 5:] = -1
loss = Tagger(4).loss(words, tags)
