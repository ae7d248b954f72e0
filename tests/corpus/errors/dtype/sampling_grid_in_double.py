import numpy as np
import torch
import torch.nn.functional as F


def rotation(angle):
    c, s = np.cos(angle), np.sin(angle)
    return torch.from_numpy(np.array([[c, -s, 0.0], [s, c, 0.0]]))


def rotate(images, degrees):
    theta = rotation(np.deg2rad(degrees)).expand(len(images), 2, 3)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


turned = rotate(torch.rand(4, 1, 28, 28), 15)
