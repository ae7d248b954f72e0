import torch
from torch import nn
from torch.nn.functional import cross_entropy


class WithAux(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(10, 20)
        self.aux = nn.Linear(20, 4)
        self.main = nn.Linear(20, 4)

    def forward(self, x):
        h = torch.relu(self.stem(x))
        if self.training:
            return self.main(h), self.aux(h)
        return self.main(h)


net = WithAux()
x, y = torch.randn(6, 10), torch.randint(0, 4, (6,))
outputs = net(x)
loss = cross_entropy(outputs, y)
loss.backward()
