"""Films and their genres from the people who watched them."""
import torch
from torch import nn

torch.manual_seed(5)
PEOPLE, GENRES = 60, 4
taste = torch.rand(PEOPLE, GENRES)


def films(n):
    viewers = torch.stack([torch.randperm(PEOPLE)[:6] for _ in range(n)])
    return viewers, (taste[viewers].mean(1) > 0.5).float()


class GenreNet(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.people = nn.Embedding(PEOPLE, width)
        self.hidden = nn.Linear(width, width)
        self.out = nn.Linear(width, GENRES)

    def forward(self, viewers):
        return self.out(torch.relu(self.hidden(self.people(viewers).mean(1))))


x, y = films(1500)
tx, ty = films(300)
model = GenreNet()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(6):
    for pick in torch.randperm(1500).split(50):
        loss = nn.functional.binary_cross_entropy_with_logits(model(x[pick]), y[pick])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        right = ((model(tx) > 0) == ty.bool()).float().mean()
    print(f"epoch {epoch} loss {loss.item():.3f} genres right {right:.3f}")
