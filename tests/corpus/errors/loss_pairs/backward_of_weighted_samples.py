import torch
from torch import nn

torch.manual_seed(0)
net = nn.Linear(5, 2)
per_sample = nn.CrossEntropyLoss(reduction="none")
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)


def update(x, y, sample_weight):
    optimizer.zero_grad()
    loss = per_sample(net(x), y) * sample_weight
    loss.backward()
    optimizer.step()


update(torch.randn(16, 5), torch.randint(0, 2, (16,)), torch.rand(16))
