import torch
from torch import nn


class AttnDecoder(nn.Module):
    def __init__(self, hidden_size, max_length):
        super().__init__()
        self.attn = nn.Linear(hidden_size, max_length)

    def forward(self, hidden, encoder_outputs):
        weights = torch.softmax(self.attn(hidden), dim=1)
        context = torch.bmm(weights.unsqueeze(1), encoder_outputs)
        return context.squeeze(1)


src_len, batch_size, hidden_size = 7, 4, 32
encoder = nn.GRU(16, hidden_size)
source = torch.randn(src_len, batch_size, 16)
encoder_outputs, last_hidden = encoder(source)

decoder = AttnDecoder(hidden_size, src_len)
context = decoder(last_hidden[0], encoder_outputs)
