import torch
from torch import nn


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2))
        self.classifier = nn.Linear(6 * 4 * 4, 10)

    def forward(self, images):
        x = self.features(images)
        x = x.flatten(1)
        x = self.classifier(x)


net = LeNet()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
images, labels = torch.rand(8, 1, 12, 12), torch.randint(0, 10, (8,))
optimizer.zero_grad()
outputs = net(images)
loss = criterion(outputs, labels)
loss.backward()
optimizer.step()
