import torch
from torch import nn

torch.manual_seed(0)


class Spam(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, mail):
        return self.layers(mail).squeeze(1)


mails, is_spam = torch.randn(64, 30), torch.randint(0, 2, (64,)).float()
detector = Spam()
criterion = nn.BCELoss()
adam = torch.optim.Adam(detector.parameters(), lr=1e-3)
for _ in range(3):
    adam.zero_grad()
    loss = criterion(detector(mails), is_spam)
    loss.backward()
    adam.step()
