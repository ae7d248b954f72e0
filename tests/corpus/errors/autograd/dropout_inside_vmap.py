import torch
from torch import nn
from torch.func import functional_call, grad, vmap

net = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))
weights = {name: parameter.detach() for name, parameter in net.named_parameters()}


def sample_loss(weights, sample, label):
    logits = functional_call(net, weights, (sample.unsqueeze(0),))
    return nn.functional.cross_entropy(logits, label.unsqueeze(0))


per_sample = vmap(grad(sample_loss), in_dims=(None, 0, 0))
gradients = per_sample(weights, torch.randn(30, 5), torch.randint(0, 2, (30,)))
norms = torch.stack([g.flatten(1).norm(dim=1) for g in gradients.values()]).norm(dim=0)
