import torch
from torch import nn


class Captioner(nn.Module):
    def __init__(self, text_dim=64, image_dim=32):
        super().__init__()
        self.look = nn.MultiheadAttention(text_dim, 4, batch_first=True)
        self.vocab = nn.Linear(text_dim, 200)

    def forward(self, words, regions):
        seen, _ = self.look(words, regions, regions)
        return self.vocab(words + seen)


captioner = Captioner()
words, regions = torch.randn(2, 12, 64), torch.randn(2, 49, 32)
logits = captioner(words, regions)
