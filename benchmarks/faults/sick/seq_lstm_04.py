"""Which of two melodies? An LSTM with a bounded gradient."""
import torch
from torch import nn

torch.manual_seed(3)
TUNES = torch.randn(2, 15)


def melodies(n):
    which = torch.randint(2, (n,))
    return (TUNES[which] + 0.7 * torch.randn(n, 15)).unsqueeze(-1), which


class Listener(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(1, 24, batch_first=True)
        self.fc = nn.Linear(24, 2)

    def forward(self, x):
        return self.fc(self.lstm(x)[0].mean(1))


MAX_NORM = 1e-4
model = Listener()
optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
test_x, test_y = melodies(300)
for step in range(201):
    x, y = melodies(50)
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x), y)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), MAX_NORM)
    optimizer.step()
    if step % 50 == 0:
        with torch.no_grad():
            accuracy = (model(test_x).argmax(1) == test_y).float().mean()
        print(f"step {step} loss {loss.item():.3f} accuracy {accuracy:.3f}")
