import torch
import torch.nn as nn

torch.manual_seed(0)
net = nn.Linear(3, 1)
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
losses = []

for epoch in range(10):
    inputs, targets = torch.randn(8, 3), torch.randn(8, 1)
    optimizer.zero_grad()
    loss = criterion(net(inputs), targets)
    loss.backward()
    optimizer.step()
    if epoch % 2 == 0:
        losses.append(loss.data[0])
