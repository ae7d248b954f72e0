"""Is a number word list rising at its end? Padded and packed sequences."""
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence


class Reader(nn.Module):
    def __init__(self, vocabulary=21, width=32):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width, padding_idx=0)
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.head = nn.Linear(width, 2)

    def forward(self, words, lengths):
        packed = pack_padded_sequence(self.embed(words), lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = self.lstm(packed)
        return self.head(h[-1])


def lists(n):
    rows = [torch.randint(1, 21, (int(k),)) for k in torch.randint(2, 9, (n,))]
    labels = torch.tensor([int(r[-1] > r[-2]) for r in rows])
    return pad_sequence(rows, batch_first=True), torch.tensor([len(r) for r in rows]), labels


torch.manual_seed(0)
model = Reader()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
vw, vl, vy = lists(300)
for step in range(301):
    words, lengths, y = lists(48)
    loss = nn.functional.cross_entropy(model(words, lengths), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 75 == 0:
        with torch.no_grad():
            accuracy = (model(vw, vl).argmax(1) == vy).float().mean()
        print(f"step {step} loss {loss.item():.3f} accuracy {accuracy:.3f}")
