import numpy as np
import torch
from torch import nn


class TokenFile:
    def __init__(self, n_tokens, vocab):
        self.tokens = np.random.default_rng(0).integers(0, vocab, n_tokens).astype(np.int16)

    def batch(self, block, size):
        starts = range(0, size * block, block)
        rows = np.stack([self.tokens[s : s + block] for s in starts])
        return torch.from_numpy(rows)


class GPT(nn.Module):
    def __init__(self, vocab, dim):
        super().__init__()
        self.wte = nn.Embedding(vocab, dim)
        self.head = nn.Linear(dim, vocab)

    def forward(self, idx):
        return self.head(self.wte(idx))


stream = TokenFile(1000, vocab=120)
gpt = GPT(120, 16)
logits = gpt(stream.batch(block=32, size=4))
