import tempfile
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset


class TensorFolder(Dataset):
    def __init__(self, root, suffix):
        self.files = sorted(Path(root).glob(f"*.{suffix}"))

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        return torch.load(self.files[index])


with tempfile.TemporaryDirectory() as root:
    for number in range(12):
        torch.save(torch.randn(4), Path(root, f"sample{number:02}.pt"))
    dataset = TensorFolder(root, suffix=".pt")
    loader = DataLoader(dataset, batch_size=4, shuffle=True)
    total = sum(len(batch) for batch in loader)
