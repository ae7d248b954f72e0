import torch
from torch import nn


class Reviewer(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(200, 12)
        self.lstm = nn.LSTM(12, 20, num_layers=2, batch_first=True)
        self.fc = nn.Linear(20, 2)

    def encode(self, ids):
        _, (hidden, _) = self.lstm(self.emb(ids))
        return hidden.view(-1, 20)

    def forward(self, ids):
        return self.fc(self.encode(ids))


reviewer = Reviewer()
ids, sentiment = torch.randint(0, 200, (8, 15)), torch.randint(0, 2, (8,))
logits = reviewer(ids)
loss = nn.functional.cross_entropy(logits, sentiment)
loss.backward()
