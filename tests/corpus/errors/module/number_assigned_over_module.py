import torch
from torch import nn


class Head(nn.Module):
    def __init__(self, size, classes, dropout):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(size, classes)
        self.configure(dropout=dropout, classes=classes)

    def configure(self, **options):
        for name, value in options.items():
            setattr(self, name, value)

    def forward(self, x):
        return self.linear(self.dropout(x))


head = Head(size=20, classes=4, dropout=0.1)
out = head(torch.randn(2, 20))
