import torch
from torch import nn

vocab, width = 40, 16
text = torch.randint(0, vocab, (8, 61))


class CharModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.out = nn.Linear(width, vocab)

    def forward(self, tokens, state=None):
        hidden, state = self.lstm(self.embed(tokens), state)
        return self.out(hidden), state


net = CharModel()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
criterion = nn.CrossEntropyLoss()
state = None
for start in range(0, 60, 20):
    chunk = text[:, start : start + 20]
    target = text[:, start + 1 : start + 21]
    logits, state = net(chunk, state)
    loss = criterion(logits.reshape(-1, vocab), target.reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
