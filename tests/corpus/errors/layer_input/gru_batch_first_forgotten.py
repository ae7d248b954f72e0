import torch
from torch import nn


class Seq2Vec(nn.Module):
    def __init__(self, input_dim, hidden_dim):
        super().__init__()
        self.hidden_dim = hidden_dim
        self.gru = nn.GRU(input_dim, hidden_dim)

    def forward(self, x):
        h0 = torch.zeros(1, x.size(0), self.hidden_dim)
        _, hn = self.gru(x, h0)
        return hn[-1]


seq2vec = Seq2Vec(8, 16)
vectors = seq2vec(torch.randn(32, 10, 8))
