import torch
from torch import nn

data = {
    "sepal_length": [5.1, 4.9, 6.2, 5.9, 6.9, 5.8],
    "sepal_width": [3.5, 3.0, 2.9, 3.0, 3.1, 2.7],
    "petal_length": [1.4, 1.4, 4.3, 4.2, 5.4, 5.1],
    "petal_width": [0.2, 0.2, 1.3, 1.5, 2.1, 1.9],
}
species = torch.tensor([0, 0, 1, 1, 2, 2])

X = torch.tensor(list(data.values()))
iris_net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
opt = torch.optim.Adam(iris_net.parameters(), lr=0.01)

for _epoch in range(5):
    opt.zero_grad()
    loss = nn.functional.cross_entropy(iris_net(X), species)
    loss.backward()
    opt.step()
