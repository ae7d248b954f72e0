import numpy as np
import torch


def one_hot(labels, num_classes):
    out = torch.zeros(len(labels), num_classes)
    return out.scatter_(1, labels.unsqueeze(1), 1.0)


rng = np.random.default_rng(0)
raw = rng.integers(0, 6, size=20).astype(np.float32)
labels = torch.from_numpy(raw)
targets = one_hot(labels, 6)
smooth = 0.9 * targets + 0.1 / 6
