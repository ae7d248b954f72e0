import torch
from torch import nn


def build_model(n_features, n_classes):
    return nn.Sequential(
        nn.Linear(n_features, 64),
        nn.BatchNorm1d(64),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(64, 64),
        nn.BatchNorm1d(64),
        nn.ReLU(),
        nn.Linear(32, n_classes),
    )


clf = build_model(20, 3)
inputs = torch.randn(16, 20)
logits = clf(inputs)
