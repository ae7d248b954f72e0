import torch

ids = torch.tensor([0, 4, 9, 4, 0, 9, 9])
vectors = torch.randn(7, 16)


def cluster_means(vectors, ids):
    n = len(ids.unique())
    sums = torch.zeros(n, vectors.size(1)).index_add_(0, ids, vectors)
    counts = torch.zeros(n).index_add_(0, ids, torch.ones(len(ids)))
    return sums / counts.clamp(min=1).unsqueeze(1)


means = cluster_means(vectors, ids)
spread = (vectors - means[ids]).norm(dim=1)
