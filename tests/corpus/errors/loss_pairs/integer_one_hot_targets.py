import torch
import torch.nn.functional as F
from torch import nn


class Softmax(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(12, 5)

    def forward(self, x):
        return self.fc(x)


features = torch.randn(24, 12)
classes = torch.randint(0, 5, (24,))
targets = F.one_hot(classes, num_classes=5)
model = Softmax()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(features), targets)
    loss.backward()
    optimizer.step()
