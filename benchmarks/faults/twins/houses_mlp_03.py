"""How far does the temperature of tomorrow differ from today's?"""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Forecast(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(5, 50), nn.ReLU(), nn.Linear(50, 50), nn.ReLU())
        self.last = nn.Linear(50, 1)

    def forward(self, x):
        return self.last(self.hidden(x))


def weather(n, seed):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 5, generator=g)
    change = x[:, :1] - 0.7 * x[:, 1:2] * x[:, 2:3] + 0.1 * torch.randn(n, 1, generator=g)
    return TensorDataset(x, change)


def main():
    torch.manual_seed(0)
    train, test = DataLoader(weather(2000, 1), batch_size=64, shuffle=True), weather(400, 2)
    model = Forecast()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for epoch in range(6):
        for x, change in train:
            loss = nn.functional.mse_loss(model(x), change)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            test_loss = nn.functional.mse_loss(model(test.tensors[0]), test.tensors[1])
        print(f"epoch {epoch} train {loss.item():.3f} test {test_loss:.3f} (variance {test.tensors[1].var():.3f})")


main()
