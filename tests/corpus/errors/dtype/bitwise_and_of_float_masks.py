import torch


def make_mask(tokens, pad_id=0):
    padding = (tokens != pad_id).float()[:, None, :]
    length = tokens.size(1)
    causal = torch.ones(length, length, dtype=torch.bool).tril()[None]
    return padding & causal


def masked_scores(scores, mask):
    return scores.masked_fill(~mask, float("-inf")).softmax(-1)


tokens = torch.tensor([[5, 8, 2, 0], [7, 1, 0, 0]])
scores = torch.randn(2, 4, 4)
weights = masked_scores(scores, make_mask(tokens))
