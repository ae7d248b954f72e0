import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset

SENTENCES = ["the cat sat on the mat", "a dog barked", "birds sing in the morning", "it rains"]
VOCABULARY = {word: number for number, word in enumerate(sorted({w for s in SENTENCES for w in s.split()}), start=1)}


class Sentences(Dataset):
    def __len__(self):
        return len(SENTENCES)

    def __getitem__(self, index):
        return torch.tensor([VOCABULARY[word] for word in SENTENCES[index].split()])


def pad(batch):
    return pad_sequence(batch, batch_first=True)


loader = DataLoader(Sentences(), batch_size=2)
embedding = torch.nn.Embedding(len(VOCABULARY) + 1, 8, padding_idx=0)
for batch in loader:
    vectors = embedding(batch)
