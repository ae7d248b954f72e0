import torch
from torch import nn


class TextEncoder(nn.Module):
    def __init__(self, vocab, dim, max_len):
        super().__init__()
        self.tok = nn.Embedding(vocab, dim)
        self.pos = nn.Parameter(torch.randn(max_len, dim) * 0.02)

    def forward(self, ids):
        n = ids.size(1)
        return self.tok(ids) + self.pos[:n]


encoder = TextEncoder(vocab=300, dim=16, max_len=100)
documents = [torch.randint(0, 300, (length,)) for length in (80, 120, 97)]
padded = torch.nn.utils.rnn.pad_sequence(documents, batch_first=True)
encoded = encoder(padded)
