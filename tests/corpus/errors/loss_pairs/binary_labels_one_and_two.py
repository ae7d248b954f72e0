import torch
from torch import nn

sex_code = torch.tensor([1, 2, 2, 1, 1, 2, 1, 2])
height = torch.tensor([1.81, 1.66, 1.70, 1.75, 1.90, 1.58, 1.77, 1.62])

inputs = ((height - height.mean()) / height.std()).unsqueeze(1)
targets = sex_code.float().unsqueeze(1)

logistic = nn.Sequential(nn.Linear(1, 1), nn.Sigmoid())
criterion = nn.BCELoss()
optimizer = torch.optim.SGD(logistic.parameters(), lr=0.5)

for _step in range(5):
    optimizer.zero_grad()
    probability = logistic(inputs)
    loss = criterion(probability, targets)
    loss.backward()
    optimizer.step()
