"""Several tags per item: a multi-label classifier on synthetic features."""
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Items(Dataset):
    def __init__(self, count, seed):
        g = torch.Generator().manual_seed(seed)
        mix = torch.randn(20, 6, generator=torch.Generator().manual_seed(99))
        self.features = torch.randn(count, 20, generator=g)
        self.tags = (self.features @ mix / 20**0.5 > 0.3).float()

    def __len__(self):
        return len(self.features)

    def __getitem__(self, i):
        return {"features": self.features[i], "tags": self.tags[i]}


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(20, 64)
        self.out = nn.Linear(64, 6)

    def forward(self, x):
        return torch.sigmoid(self.out(torch.relu(self.hidden(x))))


def main():
    torch.manual_seed(0)
    train = DataLoader(Items(2000, 1), batch_size=50, shuffle=True)
    test = Items(400, 2)
    model, loss_fn = Tagger(), nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(4):
        for batch in train:
            optimizer.zero_grad()
            loss = loss_fn(model(batch["features"]), batch["tags"])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            out = model(test.features)
        print(f"epoch {epoch} test loss {loss_fn(out, test.tags).item():.3f}")


main()
