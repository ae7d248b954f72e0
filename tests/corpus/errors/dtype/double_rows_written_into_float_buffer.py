import numpy as np
import torch

decay = torch.from_numpy(np.array([0.9, 0.99, 0.999]))
memory = torch.zeros(10, 3)


def write(slots, values):
    rows = memory[slots] * decay + values * (1 - decay)
    memory[slots] = rows


slots = torch.tensor([1, 4, 7])
write(slots, torch.ones(3, 3))
