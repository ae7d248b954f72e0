import torch
from torch import nn


class LanguageModel(nn.Module):
    def __init__(self, words, width):
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.body = nn.Linear(width, width)
        self.unembed = nn.Linear(width, words, bias=False)
        self.unembed.weight = self.embed.weight

    def forward(self, tokens):
        return self.unembed(torch.tanh(self.body(self.embed(tokens))))


lm = LanguageModel(words=100, width=24)
optimizer = torch.optim.SGD(
    [
        {"params": lm.embed.parameters(), "lr": 0.5},
        {"params": lm.body.parameters()},
        {"params": lm.unembed.parameters(), "lr": 0.05},
    ],
    lr=0.1,
)
tokens = torch.randint(0, 100, (4, 9))
nn.functional.cross_entropy(lm(tokens).flatten(0, 1), tokens.flatten()).backward()
optimizer.step()
