"""Which of four rhythms does a noisy sequence follow? An LSTM reads it and answers."""
import torch
import torch.nn as nn

torch.manual_seed(1)
LENGTH, CLASSES = 30, 4


def make_rhythms(count):
    labels = torch.randint(CLASSES, (count,))
    t = torch.arange(LENGTH).float()
    freq = 0.15 + 0.2 * labels.float()
    phase = torch.rand(count) * 6.28
    x = torch.sin(freq[:, None] * t + phase[:, None]) + 0.2 * torch.randn(count, LENGTH)
    return x.unsqueeze(-1), labels


class RhythmNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(1, 32, batch_first=True)
        self.out = nn.Linear(32, CLASSES)

    def forward(self, x):
        states, _ = self.lstm(x)
        return self.out(states[:, -1])


train_x, train_y = make_rhythms(1600)
test_x, test_y = make_rhythms(400)
net = RhythmNet()
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
loss_fn = nn.CrossEntropyLoss()

for epoch in range(8):
    order = torch.randperm(len(train_x))
    running = 0.0
    opt.zero_grad()
    for start in range(0, len(order), 64):
        pick = order[start : start + 64]
        loss = loss_fn(net(train_x[pick]), train_y[pick])
        loss.backward()
        opt.step()
        running += loss.item() * len(pick)
    net.eval()
    with torch.no_grad():
        acc = (net(test_x).argmax(-1) == test_y).float().mean().item()
    net.train()
    print(f"[{epoch}] train loss {running / len(order):.3f}  test acc {acc:.3f}")
