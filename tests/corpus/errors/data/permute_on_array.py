import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset


class Scans(Dataset):
    def __init__(self, count):
        self.volumes = [np.zeros((16, 16, 3), dtype=np.uint8) + n for n in range(count)]

    def __len__(self):
        return len(self.volumes)

    def augment(self, picture):
        return np.rot90(picture).copy()

    def __getitem__(self, index):
        picture = self.augment(self.volumes[index])
        picture = picture.permute(2, 0, 1)
        return picture / 255.0


for batch in DataLoader(Scans(6), batch_size=3):
    assert batch.shape == torch.Size([3, 3, 16, 16])
