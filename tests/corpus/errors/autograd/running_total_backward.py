import torch
from torch import nn


def train(net, loader, optimizer, epochs):
    criterion = nn.MSELoss()
    for _ in range(epochs):
        epoch_loss = 0.0
        for features, target in loader:
            optimizer.zero_grad()
            prediction = net(features).squeeze(1)
            epoch_loss += criterion(prediction, target)
            epoch_loss.backward()
            optimizer.step()


torch.manual_seed(0)
data = torch.utils.data.TensorDataset(torch.randn(64, 5), torch.randn(64))
loader = torch.utils.data.DataLoader(data, batch_size=16)
net = nn.Sequential(nn.Linear(5, 12), nn.Tanh(), nn.Linear(12, 1))
train(net, loader, torch.optim.SGD(net.parameters(), lr=0.05), epochs=2)
