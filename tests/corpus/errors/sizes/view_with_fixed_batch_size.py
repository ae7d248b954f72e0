import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

batch_size = 32
train_loader = DataLoader(TensorDataset(torch.rand(84, 1, 28, 28), torch.randint(0, 10, (84,))), batch_size=batch_size)
net = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)


def train_epoch():
    total = 0.0
    for images, labels in train_loader:
        images = images.view(batch_size, 784)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(train_loader)


average = train_epoch()
