import torch
from torch import nn

X = torch.randn(100, 10)
y = torch.randint(0, 3, (100,))
clf = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 3))
optim = torch.optim.SGD(clf.parameters(), lr=0.1)
loss_fn = nn.MSELoss()

for _ in range(10):
    optim.zero_grad()
    predicted = torch.argmax(clf(X), dim=1).float()
    loss = loss_fn(predicted, y.float())
    loss.backward()
    optim.step()
