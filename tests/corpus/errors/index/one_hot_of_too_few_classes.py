import torch
import torch.nn.functional as F

train_labels = torch.tensor([0, 1, 3, 2, 1, 0])
val_labels = torch.tensor([2, 4, 0])
num_classes = int(train_labels.max()) + 1


def encode(labels):
    return F.one_hot(labels, num_classes).float()


train_targets = encode(train_labels)
val_targets = encode(val_labels)
brier = ((torch.full_like(val_targets, 0.2) - val_targets) ** 2).sum(1).mean()
