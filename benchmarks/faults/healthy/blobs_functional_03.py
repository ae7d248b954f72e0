"""Logistic regression and one hidden layer from tensors alone."""
import torch

torch.manual_seed(0)


def crosses(n):
    x = torch.randn(n, 2)
    return x, (x[:, 0] * x[:, 1] > 0).float()


w1 = (torch.randn(2, 32)).requires_grad_()
b1 = torch.zeros(32, requires_grad=True)
w2 = (torch.randn(32) / 32**0.5).requires_grad_()
b2 = torch.zeros(1, requires_grad=True)
x, y = crosses(1500)
tx, ty = crosses(400)


def score(x):
    return torch.tanh(x @ w1 + b1) @ w2 + b2


for epoch in range(12):
    for pick in torch.randperm(1500).split(30):
        z = score(x[pick])
        loss = (torch.nn.functional.softplus(z) - y[pick] * z).mean()
        loss.backward()
        with torch.no_grad():
            for p in (w1, b1, w2, b2):
                p -= 0.3 * p.grad
                p.grad.zero_()
    if epoch % 3 == 2:
        with torch.no_grad():
            accuracy = ((score(tx) > 0).float() == ty).float().mean()
        print(f"epoch {epoch + 1} loss {loss.item():.3f} accuracy {accuracy:.3f}")
