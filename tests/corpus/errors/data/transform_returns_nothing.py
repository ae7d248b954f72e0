import torch
from torch.utils.data import DataLoader, Dataset


class Compose:
    def __init__(self, steps):
        self.steps = steps

    def __call__(self, item):
        for step in self.steps:
            item = step(item)
        return item


def normalize(image):
    image = (image - image.mean()) / (image.std() + 1e-6)


def flip(image):
    return image.flip(-1) if torch.rand(()) < 0.5 else image


class Tiles(Dataset):
    transform = Compose([normalize, flip])

    def __len__(self):
        return 10

    def __getitem__(self, index):
        return self.transform(torch.rand(3, 8, 8))


torch.manual_seed(0)
for tiles in DataLoader(Tiles(), batch_size=5):
    assert tiles.shape[1:] == (3, 8, 8)
