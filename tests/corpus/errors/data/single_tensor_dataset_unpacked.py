import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

rows = torch.rand(64, 2, 12)
loader = DataLoader(TensorDataset(rows), batch_size=16, shuffle=True)
autoencoder = nn.Sequential(nn.Linear(12, 4), nn.ReLU(), nn.Linear(4, 12))
criterion = nn.MSELoss()
for batch, _ in loader:
    loss = criterion(autoencoder(batch), batch)
