import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset


class Digits(Dataset):
    def __init__(self, count, transform=None):
        self.count = count
        self.transform = transform

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        image = Image.new("L", (28, 28), color=index)
        if self.transform is not None:
            image = self.transform(image)
        return image, index % 10


def to_tensor(image):
    return torch.from_numpy(np.array(image)).float().div(255).unsqueeze(0)


train_set = Digits(60, transform=to_tensor)
test_set = Digits(20)
for dataset in (train_set, test_set):
    for images, _ in DataLoader(dataset, batch_size=10):
        brightness = images.mean()
