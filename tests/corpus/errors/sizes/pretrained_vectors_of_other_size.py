import torch
from torch import nn


class Tagger(nn.Module):
    def __init__(self, vocab_size, embed_dim=64):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, embed_dim)
        self.lstm = nn.LSTM(embed_dim, 32, batch_first=True)

    def init_embeddings(self, vectors):
        with torch.no_grad():
            self.embed.weight.copy_(vectors)


vocab = {f"word{i}": i for i in range(50)}
glove = {word: torch.randn(100) for word in vocab}
vectors = torch.stack([glove[word] for word in vocab])

tagger = Tagger(len(vocab))
tagger.init_embeddings(vectors)
