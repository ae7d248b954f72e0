import torch
import torch.nn.functional as F


def downscale(maps, factor):
    b, c, h, w = maps.shape
    pooled = F.avg_pool2d(maps, factor)
    return pooled.view(b, c, h // factor, w // factor)


def load_masks(n):
    return torch.stack([torch.eye(16) for _ in range(n)])


masks = load_masks(5)
small = downscale(masks, 4)
