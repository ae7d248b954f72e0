import torch
from torch import nn


class EEGNet(nn.Module):
    def __init__(self, channels=8):
        super().__init__()
        self.conv = nn.Conv1d(channels, 16, 7)
        self.fc = nn.Linear(16, 2)

    def forward(self, signal):
        x = signal.transpose(1, 2)
        x = torch.relu(self.conv(x)).mean(dim=2)
        return self.fc(x)


eeg = EEGNet()
batch_scores = eeg(torch.randn(4, 100, 8))
recording = torch.randn(100, 8)
score = eeg(recording)
