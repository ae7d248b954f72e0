import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class ClickModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(7, 12), nn.ReLU(), nn.Linear(12, 1))

    def forward(self, x):
        return self.net(x).squeeze()


clicks = TensorDataset(torch.randn(33, 7), torch.randint(0, 2, (33,)).float())
model = ClickModel()
criterion = nn.BCEWithLogitsLoss()
for x, clicked in DataLoader(clicks, batch_size=16):
    loss = criterion(model(x), clicked)
    loss.backward()
