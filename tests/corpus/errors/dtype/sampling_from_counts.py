import torch

torch.manual_seed(0)
text = "the quick brown fox jumps over the lazy dog the end"
words = sorted(set(text.split()))
counts = torch.tensor([text.split().count(w) for w in words])


def negative_samples(n):
    smoothed = counts
    return torch.multinomial(smoothed, n, replacement=True)


negatives = [words[i] for i in negative_samples(5).tolist()]
