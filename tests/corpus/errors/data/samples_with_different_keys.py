import torch
from torch.utils.data import DataLoader, Dataset


class Shapes(Dataset):
    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        sample = {"image": torch.rand(1, 8, 8), "label": index % 3}
        if index % 4 == 0:
            sample["mask"] = torch.ones(8, 8)
        return sample


batches = list(DataLoader(Shapes(12), batch_size=4))
