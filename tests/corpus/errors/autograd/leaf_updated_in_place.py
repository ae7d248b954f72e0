import torch

true_w = torch.tensor([2.0, -1.0, 0.5])
X = torch.randn(200, 3)
y = X @ true_w + 0.3

w = torch.zeros(3, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
lr = 0.1

for _ in range(50):
    loss = ((X @ w + b - y) ** 2).mean()
    loss.backward()
    w -= lr * w.grad
    b -= lr * b.grad
    w.grad.zero_()
    b.grad.zero_()
