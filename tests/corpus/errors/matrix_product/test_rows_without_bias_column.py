import torch


def add_ones(rows):
    return torch.cat([torch.ones(rows.size(0), 1), rows], dim=1)


def solve(rows, targets):
    design = add_ones(rows)
    return torch.linalg.lstsq(design, targets.unsqueeze(1)).solution.squeeze(1)


def predict(rows, coefficients):
    return rows @ coefficients


torch.manual_seed(1)
train_rows, train_targets = torch.randn(80, 4), torch.randn(80)
test_rows = torch.randn(32, 4)
w = solve(train_rows, train_targets)
fitted = predict(add_ones(train_rows), w)
predicted = predict(test_rows, w)
