import torch

batch, n_query, n_key, dim = 8, 20, 15, 32


def scaled_scores(query, key, bias):
    scale = dim**-0.5
    return torch.baddbmm(bias, query, key, beta=1.0, alpha=scale)


query = torch.randn(batch, n_query, dim)
key = torch.randn(batch, n_key, dim)
relative_bias = torch.zeros(batch, n_query, n_key)
scores = scaled_scores(query, key, relative_bias)
attention = scores.softmax(-1)
