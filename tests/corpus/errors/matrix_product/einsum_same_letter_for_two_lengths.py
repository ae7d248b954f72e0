import torch
from torch import nn


class CrossAttention(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.to_q = nn.Linear(dim, dim)
        self.to_kv = nn.Linear(dim, 2 * dim)

    def forward(self, target, memory):
        q = self.to_q(target)
        k, v = self.to_kv(memory).chunk(2, dim=-1)
        scores = torch.einsum("bsd,bsd->bs", q, k)
        weights = scores.softmax(-1)
        return torch.einsum("bqk,bkd->bqd", weights, v)


cross = CrossAttention(24)
decoder_states = torch.randn(2, 6, 24)
encoder_states = torch.randn(2, 9, 24)
mixed = cross(decoder_states, encoder_states)
