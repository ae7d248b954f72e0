import torch

torch.manual_seed(0)
inputs = torch.randn(40, 2)
labels = (inputs.sum(dim=1) > 0).float()
weights = torch.randn(2, requires_grad=True)


def logistic_loss(logits):
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)


for _ in range(10):
    loss = logistic_loss(inputs @ weights)
    loss.backward()
    weights = weights - 0.5 * weights.grad
    weights.grad.zero_()
