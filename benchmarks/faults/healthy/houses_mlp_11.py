"""Two rates in one optimizer, one for the body and one for the head."""
import math

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Rows(Dataset):
    def __init__(self, n, seed):
        g = torch.Generator().manual_seed(seed)
        self.x = torch.randn(n, 6, generator=g)
        self.y = self.x[:, 0] * torch.sign(self.x[:, 1]) + 0.5 * self.x[:, 2]

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return {"input": self.x[i], "target": self.y[i]}


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU())
        self.head, self.side = nn.Linear(64, 1), nn.Linear(64, 1)

    def forward(self, batch):
        h = self.body(batch["input"])
        return {"main": self.head(h).squeeze(1), "side": self.side(h).squeeze(1)}


EPOCHS = 8
torch.manual_seed(0)
loader, valid = DataLoader(Rows(1500, 1), batch_size=50, shuffle=True), DataLoader(Rows(400, 2), batch_size=400)
model = Model()
optimizer = torch.optim.AdamW([
    {"params": model.body.parameters(), "lr": 2e-3},
    {"params": [*model.head.parameters(), *model.side.parameters()], "lr": 6e-3},
])
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda e: 0.5 * (1 + math.cos(math.pi * e / EPOCHS)))
for epoch in range(EPOCHS):
    model.train()
    for batch in loader:
        out = model(batch)
        loss = nn.functional.mse_loss(out["main"], batch["target"]) + 0.1 * nn.functional.l1_loss(out["side"], batch["target"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    schedule.step()
    model.eval()
    with torch.no_grad():
        for batch in valid:
            error = nn.functional.mse_loss(model(batch)["main"], batch["target"]).item()
    print(f"epoch {epoch} loss {loss.item():.3f} validation {error:.3f}")
