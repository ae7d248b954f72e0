import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

n_users, n_items = 20, 300
torch.manual_seed(3)
log = TensorDataset(torch.randint(0, n_items, (64,)), torch.randint(0, n_users, (64,)), torch.rand(64))


class MF(nn.Module):
    def __init__(self, k=8):
        super().__init__()
        self.users = nn.Embedding(n_users, k)
        self.items = nn.Embedding(n_items, k)

    def forward(self, u, i):
        return (self.users(u) * self.items(i)).sum(dim=1)


mf = MF()
adam = torch.optim.Adam(mf.parameters(), lr=0.01)
for user, item, rating in DataLoader(log, batch_size=16):
    adam.zero_grad()
    loss = nn.functional.mse_loss(mf(user, item), rating)
    loss.backward()
    adam.step()
