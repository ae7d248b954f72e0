import torch
from torch import nn


class Titanic(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 1)
        self.activation = nn.Sigmoid()

    def forward(self, passengers):
        return self.activation(self.fc(passengers))


torch.manual_seed(0)
passengers = torch.randn(25, 6)
survived = torch.randint(0, 2, (25, 1))
net = Titanic()
loss_fn = nn.BCELoss()
y = net(passengers)
loss = loss_fn(y, survived)
loss.backward()
