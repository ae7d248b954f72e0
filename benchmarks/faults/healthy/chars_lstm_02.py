"""Character LSTM that carries its state along the text."""
import torch
from torch import nn

SONG = "row row row your boat gently down the stream merrily merrily merrily merrily life is but a dream " * 40
letters = sorted(set(SONG))
stream = torch.tensor([letters.index(c) for c in SONG])
ROWS, STEPS = 8, 20
columns = len(stream) // ROWS
stream = stream[: columns * ROWS].view(ROWS, columns)


class CharModel(nn.Module):
    def __init__(self, n, width=64):
        super().__init__()
        self.embed = nn.Embedding(n, 16)
        self.lstm = nn.LSTM(16, width, batch_first=True)
        self.out = nn.Linear(width, n)

    def forward(self, x, state):
        h, state = self.lstm(self.embed(x), state)
        return self.out(h), state


torch.manual_seed(0)
model = CharModel(len(letters))
optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
for epoch in range(4):
    state, total, count = None, 0.0, 0
    for start in range(0, columns - STEPS - 1, STEPS):
        x, y = stream[:, start : start + STEPS], stream[:, start + 1 : start + STEPS + 1]
        if state is not None:
            state = tuple(s.detach() for s in state)
        logits, state = model(x, state)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        total, count = total + loss.item(), count + 1
    print(f"epoch {epoch} loss {total / count:.3f}")
