import torch
from torch.utils.data import DataLoader, Dataset

CLASSES = {"cat": 0, "dog": 1, "horse": 2}


class Animals(Dataset):
    rows = (("img_1", "cat"), ("img_2", "dog"), ("img_3", "Cat"), ("img_4", "horse"))

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        _, name = self.rows[index]
        return torch.zeros(3, 8, 8), CLASSES[name]


def count(loader):
    return sum(len(labels) for _, labels in loader)


number = count(DataLoader(Animals(), batch_size=2, num_workers=1))
