import torch

torch.manual_seed(0)
table = torch.randn(10, 16)
table[3, 5] = float("nan")


def clean(rows):
    valid = ~torch.isnan(rows)
    keep = valid.all(dim=0)
    return rows[keep]


def standardize(rows):
    return (rows - rows.mean(0)) / rows.std(0)


ready = standardize(clean(table))
