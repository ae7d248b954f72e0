import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Letters(Dataset):
    def __init__(self):
        self.pixels = torch.randint(0, 256, (48, 28, 28), dtype=torch.uint8)
        self.letters = torch.randint(0, 26, (48,))

    def __len__(self):
        return self.letters.numel()

    def __getitem__(self, i):
        return self.pixels[i].float() / 255, self.letters[i]


cnn = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(8 * 7 * 7, 26))


def train_one_epoch(network, batches):
    network.train()
    for glyphs, letters in batches:
        logits = network(glyphs)
        nn.functional.cross_entropy(logits, letters).backward()


train_one_epoch(cnn, DataLoader(Letters(), batch_size=16))
