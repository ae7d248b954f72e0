import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
features, classes = torch.randn(65, 20), torch.randint(0, 4, (65,))
loader = DataLoader(TensorDataset(features, classes), batch_size=32, shuffle=True)


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(20, 50)
        self.norm = nn.BatchNorm1d(50)
        self.out = nn.Linear(50, 4)

    def forward(self, x):
        return self.out(torch.relu(self.norm(self.hidden(x))))


mlp = MLP()
opt = torch.optim.SGD(mlp.parameters(), lr=0.1)
for _ in range(2):
    for xb, yb in loader:
        opt.zero_grad()
        nn.functional.cross_entropy(mlp(xb), yb).backward()
        opt.step()
