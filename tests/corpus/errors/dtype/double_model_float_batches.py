import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(12, 24)
        self.b = nn.Linear(24, 1)

    def forward(self, x):
        x = torch.tanh(self.a(x))
        return self.b(x)


def build():
    net = Net()
    return net.double()


data = TensorDataset(torch.randn(20, 12), torch.randn(20, 1))
net = build()
for inputs, targets in DataLoader(data, batch_size=5):
    loss = nn.functional.l1_loss(net(inputs), targets)
    loss.backward()
