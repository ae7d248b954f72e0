import torch
from torch import nn


class ClipNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(1, 4, kernel_size=3, padding=1)
        self.fc = nn.Linear(4, 6)

    def forward(self, clips):
        x = self.conv(clips).relu()
        return self.fc(x.mean(dim=(2, 3, 4)))


def collate(frames_of_clips):
    return torch.stack([torch.stack(frames) for frames in frames_of_clips])


frames = [[torch.rand(32, 32) for _ in range(8)] for _ in range(2)]
actions = ClipNet()(collate(frames))
