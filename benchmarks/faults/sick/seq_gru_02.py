"""Was the first value of a sequence positive? A GRU has to remember it."""
import torch
from torch import nn


class Memory(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.gru = nn.GRU(2, hidden)
        self.fc = nn.Linear(hidden, 1)

    def forward(self, x):
        out, _ = self.gru(x)
        return self.fc(out[:, -1, :])


def sample(n, length=12):
    x = torch.randn(n, length, 2)
    return x, (x[:, 0, :1] > 0).float()


def main():
    torch.manual_seed(31)
    model = Memory()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    loss_fn = nn.BCEWithLogitsLoss()
    test_x, test_y = sample(400)
    for step in range(301):
        x, y = sample(64)
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            with torch.no_grad():
                accuracy = ((model(test_x) > 0).float() == test_y).float().mean()
            print(f"{step} loss {loss.item():.3f} accuracy {accuracy:.3f}")


main()
