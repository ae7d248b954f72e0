import torch
from torch import nn


class VideoSampler:
    def __init__(self, n_frames):
        self.n_frames = n_frames

    def __call__(self, clip):
        picks = torch.linspace(0, clip.size(0) - 1, self.n_frames)
        return clip[picks]


clip = torch.rand(75, 3, 16, 16)
sample = VideoSampler(8)(clip)
encoder = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
video_vector = encoder(sample).mean(0)
