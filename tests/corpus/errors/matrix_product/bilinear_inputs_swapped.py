import torch
from torch import nn


class Fusion(nn.Module):
    def __init__(self, image_dim, text_dim, out_dim):
        super().__init__()
        self.mix = nn.Bilinear(image_dim, text_dim, out_dim)
        self.norm = nn.LayerNorm(out_dim)

    def forward(self, text_vec, image_vec):
        return self.norm(self.mix(text_vec, image_vec))


fusion = Fusion(image_dim=20, text_dim=30, out_dim=8)
image_vec = torch.randn(5, 20)
text_vec = torch.randn(5, 30)
fused = fusion(text_vec, image_vec)
