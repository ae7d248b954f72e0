import torch
from torch import nn


class TabularNet(nn.Module):
    def __init__(self, n_stores):
        super().__init__()
        self.store = nn.Embedding(n_stores, 4)
        self.mlp = nn.Sequential(nn.Linear(4 + 2, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, table):
        store_id, numeric = table[:, 0], table[:, 1:]
        x = torch.cat([self.store(store_id), numeric], dim=1)
        return self.mlp(x)


rows = [[0, 12.5, 1.0], [2, 8.0, 0.0], [1, 9.9, 1.0], [3, 15.2, 0.0]]
table = torch.tensor(rows)
sales = TabularNet(n_stores=5)(table)
