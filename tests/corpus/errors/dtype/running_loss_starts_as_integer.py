import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(8, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
batches = [(torch.randn(16, 8), torch.randint(0, 3, (16,))) for _ in range(4)]


def run_epoch():
    running_loss = torch.tensor(0)
    for x, y in batches:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        running_loss += loss.detach()
    return running_loss / len(batches)


mean_loss = run_epoch()
