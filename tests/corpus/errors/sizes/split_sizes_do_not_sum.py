import torch
from torch import nn


class DetectionHead(nn.Module):
    def __init__(self, in_dim, num_classes):
        super().__init__()
        self.num_classes = num_classes
        self.out = nn.Linear(in_dim, 4 * 2 + num_classes)

    def forward(self, h):
        box, objectness, classes = torch.split(self.out(h), [4, 1, self.num_classes], dim=1)
        return box.sigmoid(), objectness.sigmoid(), classes


head = DetectionHead(32, num_classes=5)
boxes, scores, class_logits = head(torch.randn(6, 32))
