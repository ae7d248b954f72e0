import torch
from torch import nn


class MultiModal(nn.Module):
    def __init__(self, meta_dim):
        super().__init__()
        self.cnn = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        self.fc = nn.Linear(16 + meta_dim, 2)

    def forward(self, image, meta):
        visual = self.cnn(image)
        joint = torch.cat((visual, meta), dim=1)
        return self.fc(joint)


net = MultiModal(meta_dim=5)
lesions, patients = torch.rand(8, 3, 32, 32), torch.randn(8, 5)
risk = net(lesions, patients)
