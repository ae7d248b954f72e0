import torch
from torch import nn


class MatchNet(nn.Module):
    def __init__(self, n_users, n_items, dim=32):
        super().__init__()
        self.user_emb = nn.Embedding(n_users, dim)
        self.item_emb = nn.Embedding(n_items, dim)
        self.scorer = nn.Sequential(nn.Linear(2 * dim, 16), nn.ReLU(), nn.Linear(16, 1))

    def features(self, users, items):
        u = self.user_emb(users)
        i = self.item_emb(items)
        return torch.cat([u, i])

    def forward(self, users, items):
        feats = self.features(users, items)
        return self.scorer(feats).squeeze(1)


recommender = MatchNet(100, 500)
users, items = torch.randint(0, 100, (16,)), torch.randint(0, 500, (16,))
ratings = torch.rand(16)
loss = nn.functional.mse_loss(recommender(users, items), ratings)
