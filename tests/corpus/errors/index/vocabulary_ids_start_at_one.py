import torch
from torch import nn

corpus = ["the movie was great", "a truly terrible movie", "great great fun"]
vocab = {}
for sentence in corpus:
    for word in sentence.split():
        vocab.setdefault(word, len(vocab) + 1)


def encode(sentence, length=5):
    ids = [vocab[w] for w in sentence.split()]
    return ids + [0] * (length - len(ids))


class Sentiment(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, 10, padding_idx=0)
        self.fc = nn.Linear(10, 2)

    def forward(self, ids):
        return self.fc(self.emb(ids).mean(dim=1))


model = Sentiment(len(vocab))
x = torch.tensor([encode(s) for s in corpus])
y = torch.tensor([1, 0, 1])
loss = nn.functional.cross_entropy(model(x), y)
