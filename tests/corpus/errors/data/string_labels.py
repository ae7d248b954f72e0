import numpy as np
import torch
from torch.utils.data import TensorDataset

rows = np.array([["5.1", "3.5", "setosa"], ["6.2", "2.9", "versicolor"], ["5.9", "3.0", "virginica"]])
species = rows[:, 2]
_, codes = np.unique(species, return_inverse=True)
measurements = torch.from_numpy(rows[:, :2].astype(np.float32))
labels = torch.from_numpy(species)
dataset = TensorDataset(measurements, labels)
