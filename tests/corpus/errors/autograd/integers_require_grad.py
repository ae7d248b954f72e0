import torch

readings = [3, 7, 12, 18, 21]
times = torch.arange(5)
positions = torch.tensor(readings)

slope = torch.tensor(1, requires_grad=True)
offset = torch.tensor(0, requires_grad=True)
optimizer = torch.optim.SGD([slope, offset], lr=0.01)
for _ in range(100):
    loss = ((slope * times + offset - positions) ** 2).float().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
