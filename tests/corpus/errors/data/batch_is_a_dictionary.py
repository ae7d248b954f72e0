import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Houses(Dataset):
    def __len__(self):
        return 24

    def __getitem__(self, index):
        return {"features": torch.full((3,), float(index)), "price": torch.tensor([2.0 * index])}


model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-5)
for features, price in DataLoader(Houses(), batch_size=8):
    loss = nn.functional.mse_loss(model(features), price)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
