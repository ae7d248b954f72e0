import torch
from torch.utils.data import DataLoader, Dataset


class Normalize:
    def __init__(self, mean, std):
        self.mean = torch.tensor(mean).view(-1, 1, 1)
        self.std = torch.tensor(std).view(-1, 1, 1)

    def __call__(self, tensor):
        tensor = tensor.clone()
        return tensor.sub_(self.mean).div_(self.std)


class Digits(Dataset):
    def __init__(self, transform=None):
        self.images = torch.rand(20, 1, 28, 28)
        self.transform = transform

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        image = self.images[i]
        return self.transform(image) if self.transform else image


digits = Digits(Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)))
for batch in DataLoader(digits, batch_size=5):
    assert batch.shape == (5, 1, 28, 28)
