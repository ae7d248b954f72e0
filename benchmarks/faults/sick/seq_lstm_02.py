"""Tell up-trends, down-trends and flat noise apart."""
import torch
from torch import nn, optim

torch.manual_seed(8)


def series(n, steps=20):
    kind = torch.randint(0, 3, (n,))
    slope = (kind.float() - 1) * 0.1
    return (slope[:, None] * torch.arange(steps) + 0.6 * torch.randn(n, steps)).unsqueeze(2), kind


class TrendNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(1, 24, batch_first=True, bidirectional=True)
        self.score = nn.Linear(48, 3)

    def forward(self, x):
        h, _ = self.lstm(x)
        return torch.tanh(self.score(h.mean(dim=1)))


def main():
    x, y = series(1500)
    vx, vy = series(300)
    net = TrendNet()
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(5):
        net.train()
        for idx in torch.randperm(len(x)).split(50):
            optimizer.zero_grad()
            loss = criterion(net(x[idx]), y[idx])
            loss.backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            scores = net(vx)
        print(f"epoch {epoch}: valid loss {criterion(scores, vy):.3f} accuracy {(scores.argmax(1) == vy).float().mean():.3f}")


if __name__ == "__main__":
    main()
