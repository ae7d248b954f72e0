import torch
from torch.func import vmap

anchors = torch.randn(12, 64)
candidates = torch.randn(50, 64)


def cosine(a, b):
    return torch.dot(a, b) / (a.norm() * b.norm())


def similarity_matrix(left, right):
    return vmap(vmap(cosine))(left, right)


matrix = similarity_matrix(anchors, candidates)
best = matrix.argmax(dim=1)
