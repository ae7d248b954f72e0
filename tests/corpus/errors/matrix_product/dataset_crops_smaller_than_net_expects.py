import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class CifarLike(Dataset):
    def __init__(self, n=64):
        self.images = torch.rand(n, 3, 32, 32)
        self.labels = torch.randint(0, 10, (n,))

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = self.images[index]
        return image[:, 2:30, 2:30], self.labels[index]


class SmallCNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.head = nn.Linear(32 * 8 * 8, 10)

    def forward(self, x):
        x = self.body(x)
        return self.head(x.view(x.size(0), -1))


net = SmallCNN()
for xb, yb in DataLoader(CifarLike(), batch_size=16):
    loss = nn.functional.cross_entropy(net(xb), yb)
    loss.backward()
