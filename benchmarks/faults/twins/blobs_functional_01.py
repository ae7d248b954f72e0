"""Classify spiral arms with a network written as plain tensors."""
import math

import torch
import torch.nn.functional as F

torch.manual_seed(0)


def spirals(n):
    label = torch.randint(3, (n,))
    r = torch.rand(n)
    angle = 3 * r + label * 2 * math.pi / 3 + 0.1 * torch.randn(n)
    return torch.stack([2 * r * torch.cos(angle), 2 * r * torch.sin(angle)], 1), label


def layer(fan_in, fan_out):
    w = torch.randn(fan_in, fan_out) * math.sqrt(2 / fan_in)
    return w.requires_grad_(), torch.zeros(fan_out, requires_grad=True)


w1, b1 = layer(2, 64)
w2, b2 = layer(64, 64)
w3, b3 = layer(64, 3)
params = [w1, b1, w2, b2, w3, b3]


def predict(x):
    h = torch.relu(x @ w1 + b1)
    h = torch.relu(h @ w2 + b2)
    scores = h @ w3 + b3
    return scores


x, y = spirals(1200)
tx, ty = spirals(400)
opt = torch.optim.SGD(params, lr=0.1, momentum=0.9)
for epoch in range(15):
    for pick in torch.randperm(len(x)).split(60):
        loss = F.cross_entropy(predict(x[pick]), y[pick])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 5 == 4:
        with torch.no_grad():
            out = predict(tx)
        print(f"epoch {epoch + 1} loss {F.cross_entropy(out, ty):.3f} acc {(out.argmax(1) == ty).float().mean():.3f}")
