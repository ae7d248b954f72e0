import torch
from torch import nn

model = nn.Sequential(nn.Linear(4, 10), nn.ReLU(), nn.Linear(10, 3))
opt = torch.optim.Adam(model.parameters(), lr=0.01)


def training_step(inputs, labels):
    opt.zero_grad()
    outputs = model(inputs)
    loss = nn.CrossEntropyLoss(outputs, labels)
    loss.backward()
    opt.step()
    return loss.item()


flowers, species = torch.randn(30, 4), torch.randint(0, 3, (30,))
training_step(flowers, species)
