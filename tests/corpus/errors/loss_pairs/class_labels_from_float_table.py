import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class CSVDataset(Dataset):
    def __init__(self, table):
        self.x = table[:, :-1]
        self.y = table[:, -1]

    def __len__(self):
        return self.x.shape[0]

    def __getitem__(self, item):
        return self.x[item], self.y[item]


table = torch.cat([torch.randn(64, 10), torch.randint(0, 3, (64, 1)).float()], dim=1)
net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 3))
criterion = nn.CrossEntropyLoss()


def train(model, loader, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        x = model(x)
        loss = criterion(x, y)
        loss.backward()
        optimizer.step()


train(net, DataLoader(CSVDataset(table), batch_size=16), torch.optim.Adam(net.parameters()))
