"""Character model that shares its embedding with its output layer."""
import torch
from torch import nn

POEM = "one fish two fish red fish blue fish this one has a little star this one has a little car " * 25
letters = sorted(set(POEM))
data = torch.tensor([letters.index(c) for c in POEM])


class Tied(nn.Module):
    def __init__(self, vocabulary, width=48):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.decoder = nn.Linear(width, vocabulary)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.decoder.weight = self.embedding.weight

    def forward(self, x):
        return self.decoder(self.lstm(self.embedding(x))[0])


torch.manual_seed(0)
model = Tied(len(letters))
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
for step in range(121):
    start = torch.randint(len(data) - 31, (24,))
    chunk = torch.stack([data[s : s + 31] for s in start])
    logits = model(chunk[:, :-1])
    loss = nn.functional.cross_entropy(logits.reshape(-1, len(letters)), chunk[:, 1:].reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if step % 30 == 0:
        print(f"step {step} loss {loss.item():.3f}")
