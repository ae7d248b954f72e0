"""Will a customer leave? Two classes, ten numeric columns."""
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(12)


def customers(n):
    table = torch.randn(n, 10)
    leaves = (table[:, 0] + table[:, 1] * table[:, 2] - 0.5 * table[:, 3] > 0).float().unsqueeze(1)
    return TensorDataset(table, leaves)


train, test = DataLoader(customers(2000), batch_size=64, shuffle=True), customers(500)
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

for epoch in range(6):
    total = 0.0
    for table, leaves in train:
        optimizer.zero_grad()
        loss = criterion(model(table), leaves)
        loss.backward()
        optimizer.step()
        total += loss.item()
    with torch.no_grad():
        accuracy = ((model(test.tensors[0]) > 0).float() == test.tensors[1]).float().mean()
    print(f"epoch {epoch} loss {total / len(train):.4f} accuracy {accuracy:.3f}")
