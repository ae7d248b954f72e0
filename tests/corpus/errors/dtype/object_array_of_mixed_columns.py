import numpy as np
import torch
from torch import nn

records = [("setosa", 5.1, 3.5), ("virginica", 6.3, 3.3), ("setosa", 4.9, 3.0)]


def to_array(rows):
    return np.array(rows, dtype=object)


array = to_array(records)
features = torch.from_numpy(array)
layer = nn.Linear(2, 4)
hidden = layer(features)
