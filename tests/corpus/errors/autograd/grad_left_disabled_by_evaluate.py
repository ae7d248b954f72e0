import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def evaluate(net, loader):
    net.eval()
    torch.set_grad_enabled(False)
    right = 0
    for inputs, labels in loader:
        right += (net(inputs).argmax(1) == labels).sum().item()
    return right / len(loader.dataset)


def train_epoch(net, loader, optimizer):
    net.train()
    for inputs, labels in loader:
        loss = nn.functional.cross_entropy(net(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


dataset = TensorDataset(torch.randn(60, 9), torch.randint(0, 2, (60,)))
loader = DataLoader(dataset, batch_size=20)
net = nn.Sequential(nn.Linear(9, 18), nn.Dropout(0.3), nn.Linear(18, 2))
optimizer = torch.optim.AdamW(net.parameters())
for _ in range(3):
    train_epoch(net, loader, optimizer)
    accuracy = evaluate(net, loader)
