import torch
from torch.utils.data import DataLoader, Dataset


class Pairs(Dataset):
    def __init__(self, left, right):
        self.left = left
        self.right = right

    def __len__(self):
        return max(len(self.left), len(self.right))

    def __getitem__(self, index):
        return self.left[index], self.right[index]


english, german = torch.randn(40, 6), torch.randn(37, 6)
loader = DataLoader(Pairs(english, german), batch_size=8, num_workers=1)
for source, target in loader:
    distance = (source - target).norm()
