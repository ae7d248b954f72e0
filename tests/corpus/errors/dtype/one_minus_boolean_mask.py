import torch
from torch import nn


class MaskedLoss(nn.Module):
    def __init__(self, hole_weight=6.0):
        super().__init__()
        self.hole_weight = hole_weight

    def forward(self, output, target, mask):
        difference = (output - target).abs()
        valid = (difference * mask).mean()
        hole = (difference * (1 - mask)).mean()
        return valid + self.hole_weight * hole


torch.manual_seed(0)
image = torch.rand(2, 3, 16, 16)
known = torch.rand(2, 1, 16, 16) > 0.3
inpainted = nn.Conv2d(3, 3, 3, padding=1)(image * known)
loss = MaskedLoss()(inpainted, image, known)
loss.backward()
