import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

BATCH = 32


class CharGRU(nn.Module):
    def __init__(self, n_in=12, hidden=64):
        super().__init__()
        self.hidden = hidden
        self.gru = nn.GRU(n_in, hidden, batch_first=True)
        self.decoder = nn.Linear(hidden, n_in)

    def init_hidden(self, batch_size):
        return torch.zeros(1, batch_size, self.hidden)

    def forward(self, sequences, state):
        out, state = self.gru(sequences, state)
        return self.decoder(out), state


model = CharGRU()
loader = DataLoader(TensorDataset(torch.randn(52, 9, 12)), batch_size=BATCH)
for (sequences,) in loader:
    h0 = model.init_hidden(BATCH)
    predicted, _ = model(sequences[:, :-1], h0)
    loss = nn.functional.mse_loss(predicted, sequences[:, 1:])
    loss.backward()
