"""Two rings of points, a network of plain tensors and a hand-written update."""
import torch
import torch.nn.functional as F

torch.manual_seed(0)


def rings(n):
    label = torch.randint(2, (n,))
    angle = torch.rand(n) * 6.2832
    radius = 0.5 + label + 0.1 * torch.randn(n)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], 1), label


hidden = 48
W1 = torch.nn.init.kaiming_normal_(torch.empty(2, hidden), mode="fan_out").mul_(4).requires_grad_()
b1 = torch.zeros(hidden, requires_grad=True)
W2 = torch.nn.init.xavier_normal_(torch.empty(hidden, 2)).requires_grad_()
b2 = torch.zeros(2, requires_grad=True)
x, y = rings(1000)
vx, vy = rings(300)
rate = 0.2
for epoch in range(20):
    for pick in torch.randperm(1000).split(50):
        scores = torch.relu(x[pick] @ W1 + b1) @ W2 + b2
        loss = F.cross_entropy(scores, y[pick])
        grads = torch.autograd.grad(loss, [W1, b1, W2, b2])
        with torch.no_grad():
            for p, g in zip([W1, b1, W2, b2], grads):
                p -= rate * g
    if epoch % 5 == 4:
        with torch.no_grad():
            guess = (torch.relu(vx @ W1 + b1) @ W2 + b2).argmax(1)
        print(f"epoch {epoch + 1}: loss {loss.item():.3f} accuracy {(guess == vy).float().mean():.3f}")
