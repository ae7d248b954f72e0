import torch
import torch.nn.functional as F

documents = torch.tensor([[1, 4, 4, 2], [3, 3, 0, 4], [1, 1, 2, 0]])


def histogram(ids, size=5):
    return torch.stack([torch.bincount(row, minlength=size) for row in ids])


def log_distribution(ids, temperature=2):
    counts = histogram(ids)
    return F.log_softmax(counts * temperature, dim=1)


log_p = log_distribution(documents)
entropy = -(log_p.exp() * log_p).sum(dim=1)
