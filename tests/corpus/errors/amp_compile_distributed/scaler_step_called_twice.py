import torch
from torch import nn

model = nn.Linear(10, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
scaler = torch.amp.GradScaler("cpu")
accumulate = 4

for number in range(8):
    inputs, targets = torch.randn(16, 10), torch.randn(16, 1)
    loss = nn.functional.mse_loss(model(inputs), targets) / accumulate
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    if (number + 1) % accumulate == 0:
        scaler.update()
        optimizer.zero_grad()
