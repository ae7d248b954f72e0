import io

import torch
from torch import nn


class PositionalEncoding(nn.Module):
    def __init__(self, dim, max_len):
        super().__init__()
        angle = torch.arange(max_len)[:, None] / 10000 ** (torch.arange(0, dim, 2) / dim)
        self.register_buffer("table", torch.cat([angle.sin(), angle.cos()], dim=1))

    def forward(self, x):
        return x + self.table[: x.size(1)]


class Model(nn.Module):
    def __init__(self, max_len):
        super().__init__()
        self.position = PositionalEncoding(16, max_len)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)

    def forward(self, x):
        return self.layer(self.position(x))


file = io.BytesIO()
torch.save(Model(max_len=128).state_dict(), file)
file.seek(0)
longer = Model(max_len=512)
longer.load_state_dict(torch.load(file))
longer(torch.randn(1, 300, 16))
