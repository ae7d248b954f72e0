import torch
from torch import nn

torch.manual_seed(0)
X, y = torch.randn(150, 4), torch.randint(0, 3, (150,))
X_train, y_train = X[:120], y[:120]
X_test, y_test = X[120:], y[120:]

model = nn.Linear(4, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def batches(size):
    order = torch.randperm(len(X))
    for start in range(0, len(order), size):
        yield order[start : start + size]


for _ in range(3):
    for idx in batches(30):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(X_train[idx]), y_train[idx])
        loss.backward()
        optimizer.step()
