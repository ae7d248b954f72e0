import torch
from torch import nn


class RNN(nn.Module):
    def __init__(self, n_in, n_hidden):
        super().__init__()
        self.n_hidden = n_hidden
        self.rnn = nn.RNN(n_in, n_hidden, batch_first=True)

    def forward(self, x):
        h0 = torch.zeros(1, x.size(0), self.n_hidden, device="cuda")
        out, _ = self.rnn(x, h0)
        return out[:, -1]


device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
rnn = RNN(5, 12).to(device)
y = rnn(torch.randn(3, 7, 5, device=device))
