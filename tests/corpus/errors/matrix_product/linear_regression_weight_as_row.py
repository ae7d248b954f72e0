import torch

torch.manual_seed(0)
X = torch.randn(100, 3)
y = X @ torch.tensor([[2.0], [-1.0], [0.5]]) + 0.1 * torch.randn(100, 1)

theta = torch.zeros(1, 3, requires_grad=True)
bias = torch.zeros(1, requires_grad=True)
learning_rate = 0.1

for _step in range(50):
    y_hat = X @ theta + bias
    loss = ((y_hat - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        theta -= learning_rate * theta.grad
        bias -= learning_rate * bias.grad
        theta.grad.zero_()
        bias.grad.zero_()
