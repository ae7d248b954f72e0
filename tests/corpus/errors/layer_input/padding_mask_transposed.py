import torch
from torch import nn

PAD = 0


class Encoder(nn.Module):
    def __init__(self, vocab=50, dim=16):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim, padding_idx=PAD)
        layer = nn.TransformerEncoderLayer(dim, nhead=2, dim_feedforward=32)
        self.layers = nn.TransformerEncoder(layer, num_layers=1, enable_nested_tensor=False)

    def forward(self, tokens):
        mask = tokens == PAD
        return self.layers(self.emb(tokens), src_key_padding_mask=mask)


batch_first_ids = torch.randint(1, 50, (4, 12))
batch_first_ids[:, 9:] = PAD
encoder = Encoder()
states = encoder(batch_first_ids.t())
