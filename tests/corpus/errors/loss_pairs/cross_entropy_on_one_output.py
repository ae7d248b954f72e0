import torch
from torch import nn


class PassFail(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(3, 8)
        self.fc2 = nn.Linear(8, 1)

    def forward(self, hours):
        h = torch.relu(self.fc1(hours))
        return torch.sigmoid(self.fc2(h))


torch.manual_seed(0)
students, passed = torch.rand(20, 3), torch.randint(0, 2, (20,))
model = PassFail()
criterion = nn.CrossEntropyLoss()
loss = criterion(model(students), passed)
loss.backward()
