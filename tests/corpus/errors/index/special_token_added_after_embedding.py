import torch
from torch import nn


class Tokenizer:
    def __init__(self, words):
        self.ids = {w: i for i, w in enumerate(words)}

    def add_token(self, token):
        self.ids[token] = len(self.ids)

    def __len__(self):
        return len(self.ids)

    def __call__(self, text):
        return torch.tensor([[self.ids[w] for w in text.split()]])


tokenizer = Tokenizer(["a", "dog", "chases", "the", "red", "ball"])
embedding = nn.Embedding(len(tokenizer), 8)
tokenizer.add_token("<mask>")
lm_head = nn.Linear(8, len(tokenizer))

inputs = tokenizer("a dog <mask> the ball")
scores = lm_head(embedding(inputs))
