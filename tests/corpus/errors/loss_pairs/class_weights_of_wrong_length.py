import torch
from torch import nn

NUM_CLASSES = 3
torch.manual_seed(0)
inputs = torch.randn(40, 7)
labels = torch.randint(0, 2, (40,))


def class_weights(y):
    counts = torch.bincount(y).float()
    return counts.sum() / (len(counts) * counts.clamp(min=1))


model = nn.Linear(7, NUM_CLASSES)
criterion = nn.CrossEntropyLoss(weight=class_weights(labels))
loss = criterion(model(inputs), labels)
loss.backward()
