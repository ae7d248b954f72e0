import torch
from torch.utils.data import DataLoader, Dataset


class TextDataset(Dataset):
    def __init__(self, texts, labels):
        self.texts = texts
        self.rows = []
        for text, label in zip(texts, labels, strict=True):
            if text:
                self.rows.append((self.encode(text), label))

    @staticmethod
    def encode(text):
        codes = [ord(c) % 64 for c in text[:10]]
        return torch.tensor(codes + [0] * (10 - len(codes)))

    def __len__(self):
        return len(self.texts)

    def __getitem__(self, idx):
        return self.rows[idx]


texts = ["" if i % 10 == 7 else f"message {i}" for i in range(30)]
labels = [i % 2 for i in range(30)]
loader = DataLoader(TextDataset(texts, labels), batch_size=8, shuffle=True)
for _epoch in range(2):
    for batch, target in loader:
        assert batch.shape[0] == target.shape[0]
