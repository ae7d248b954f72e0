import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class FashionNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, kernel_size=3)
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.fc = nn.Linear(32 * 4 * 4, 10)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        return self.fc(x.flatten(1))


fashion = TensorDataset(torch.rand(128, 1, 28, 28), torch.randint(0, 10, (128,)))
loader = DataLoader(fashion, batch_size=64)
net = FashionNet()
optimizer = torch.optim.Adam(net.parameters())

for images, labels in loader:
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(net(images), labels)
    loss.backward()
    optimizer.step()
