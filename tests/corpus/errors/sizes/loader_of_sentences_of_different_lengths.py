import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset


class Sentences(Dataset):
    def __init__(self, lengths):
        self.items = [torch.randint(1, 100, (n,)) for n in lengths]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


def padded(sequences):
    return pad_sequence(sequences, batch_first=True, padding_value=0)


embedding = nn.Embedding(100, 16, padding_idx=0)
sentences = Sentences([7, 5, 9, 4, 6, 8])
loader = DataLoader(sentences, batch_size=2)
for batch in loader:
    vectors = embedding(batch).mean(dim=1)
