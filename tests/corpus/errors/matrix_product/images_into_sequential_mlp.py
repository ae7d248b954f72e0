import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

train_set = TensorDataset(torch.rand(128, 1, 28, 28), torch.randint(0, 10, (128,)))
train_loader = DataLoader(train_set, batch_size=32, shuffle=True)

mlp = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))
optimizer = torch.optim.SGD(mlp.parameters(), lr=0.1)
loss_fn = nn.CrossEntropyLoss()


def train(epochs):
    for _ in range(epochs):
        for data, target in train_loader:
            optimizer.zero_grad()
            prediction = mlp(data)
            loss = loss_fn(prediction, target)
            loss.backward()
            optimizer.step()


train(1)
