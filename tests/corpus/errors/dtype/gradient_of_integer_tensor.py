import torch

x = torch.tensor([1, 2, 3], requires_grad=True)


def objective(v):
    return (v**2).sum() + 3 * v.prod()


value = objective(x)
value.backward()
gradient = x.grad
