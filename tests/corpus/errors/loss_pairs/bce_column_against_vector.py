import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

data = TensorDataset(torch.randn(32, 8), torch.randint(0, 2, (32,)).float())
net = nn.Sequential(nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 1), nn.Sigmoid())
bce = nn.BCELoss()
sgd = torch.optim.SGD(net.parameters(), lr=0.1)


def epoch():
    for rows, truth in DataLoader(data, batch_size=16):
        sgd.zero_grad()
        loss = bce(net(rows), truth)
        loss.backward()
        sgd.step()


epoch()
