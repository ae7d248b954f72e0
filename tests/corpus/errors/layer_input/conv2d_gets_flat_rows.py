import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, 5)
        self.conv2 = nn.Conv2d(10, 20, 5)
        self.fc = nn.Linear(320, 10)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2(x), 2))
        x = x.view(-1, 320)
        return F.log_softmax(self.fc(x), dim=1)


pixels = torch.randint(0, 256, (320, 784)).float() / 255
digits = torch.randint(0, 10, (320,))
net = Net()
for start in range(0, len(pixels), 32):
    rows = pixels[start : start + 32]
    loss = F.nll_loss(net(rows), digits[start : start + 32])
    loss.backward()
