import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(20, 40), nn.ReLU())
        self.head = nn.Linear(40, 7)

    def forward(self, x):
        return self.head(self.backbone(x))


def make_optimizer(net):
    groups = [{"params": net.parameters(), "lr": 1e-5}, {"params": net.head.parameters(), "lr": 1e-3}]
    return torch.optim.AdamW(groups, weight_decay=0.01)


net = Net()
optimizer = make_optimizer(net)
nn.functional.cross_entropy(net(torch.randn(8, 20)), torch.randint(0, 7, (8,))).backward()
optimizer.step()
