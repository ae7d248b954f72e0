"""Why do deep networks stop learning before they start, and what does initialization have to do with it?

Run: torchclinic lab initialization-relu [--fast]

Sources: He et al. 2015, arXiv:1502.01852; Lu et al. 2019, arXiv:1903.06733.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import torchclinic as tc
from torchclinic import theory
from torchclinic.labs.lab import Lab

STEPS = 20  # of SGD on the dead network
RATES = (1e-3, 1e-1, 1e1, 1e3, 1e6)  # learning rates tried on it
Z99 = 2.576  # 99 % of a normal lies within as many standard deviations


def run(lab: Lab) -> None:
    torch.manual_seed(lab.seed)
    x, y = torch.rand(64, 8) + 0.1, torch.randn(64, 1)
    dying(lab, x, y)
    reviving(lab, x, y)


def negative_network() -> nn.Sequential:
    """Layer 0 passes positive values on; layer 2 has only negative weights, so it kills everything that arrives."""
    first, deadly = nn.Linear(8, 16), nn.Linear(16, 16)
    with torch.no_grad():
        first.weight.abs_()
        first.bias.zero_()
        deadly.weight.copy_(-deadly.weight.abs())
        deadly.bias.fill_(-0.1)
    return nn.Sequential(first, nn.ReLU(), deadly, nn.ReLU(), nn.Linear(16, 1))


def parameter_bits(model: nn.Sequential, layers: tuple[int, ...]) -> bytes:
    return b"".join(p.detach().numpy().tobytes() for i in layers for p in model[i].parameters())


def train(model: nn.Sequential, x: Tensor, y: Tensor, rate: float, steps: int = STEPS) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        optimizer.step()


def dying(lab: Lab, x: Tensor, y: Tensor) -> None:
    lab.section("A network that cannot learn")
    lab.prose("""Inputs are positive. The first layer has positive weights and hands positive values on; the second has
        negative weights only. Every pre-activation there is negative, ReLU makes it zero, and its slope there is zero.""")
    model = negative_network()
    before = model[:3](x)
    lab.claim("dead.preactivation", "The largest pre-activation of the dead layer is negative",
              predicted=0.0, measured=before.max().item(), relation="<")
    record = tc.propagation(model, (x, y), F.mse_loss)
    lab.claim("dead.units", "Every unit of the layer is zero for every sample",
              predicted=16, measured=record["3"].dead_units)
    F.mse_loss(model(x), y).backward()
    lab.prose("""Backward, the chain rule multiplies by the slope: the gradient at the pre-activation is δ = 0 · upstream.
        For a linear layer ∂L/∂W = δᵀ·x and ∂L/∂x = δ·W: with δ exactly zero both are exactly zero, whatever x and W are,
        in this layer and, by the second formula, in every layer before it.""")
    gradients = sum(p.grad.abs().sum().item() for i in (0, 2) for p in model[i].parameters() if p.grad is not None)
    lab.claim("dead.gradient", "Gradients in every layer up to the dead one are exactly 0.0, summed over absolute values",
              predicted=0.0, measured=gradients, source="He et al. 2015, arXiv:1502.01852, eq. 11-12")
    (delta,) = torch.autograd.grad(F.mse_loss(model[3:](before), y), before)
    product = (delta.T @ model[:2](x)).abs().max().item()
    lab.claim("dead.outer-product", "The product δᵀ·x, computed by hand, is zero because δ is: largest entry of both",
              predicted=0.0, measured=max(product, delta.abs().max().item()))
    changed = 0
    for rate in RATES:
        model = negative_network()
        kept = parameter_bits(model, (0, 2))
        train(model, x, y, rate)
        changed += parameter_bits(model, (0, 2)) != kept
    lab.claim("dead.no-rate", f"Of {len(RATES)} learning rates from {RATES[0]:g} to {RATES[-1]:g}, those that change a bit of "
              f"the dead part in {STEPS} steps", predicted=0, measured=changed,
              note="W − η·0 = W for every η: no learning rate can revive it")
    model = negative_network()
    train(model, x, y, 0.1, steps=200)
    lab.claim("dead.mean", "All it can still learn is the last bias: its output becomes the mean of the targets",
              predicted=y.mean().item(), measured=model(x).mean().item(), relation="≈", tolerance=1e-5,
              source="Lu et al. 2019, arXiv:1903.06733v3, theorem 3.4",
              note="error after 200 steps at rate 0.1: at most (1 − 2 · 0.1)²⁰⁰ of the start")


def reviving(lab: Lab, x: Tensor, y: Tensor) -> None:
    lab.section("The repair: an initialization that fits the activation")
    model = negative_network()
    changes = [c for c in tc.initialize(model, "he") if c.scheme == "he"]
    lab.table(("parameter", "scheme", "std before", "std after", "why"),
              [(c.parameter, c.scheme, c.std_before, c.std_after, c.reason) for c in changes])
    predicted = theory.gain("relu") / math.sqrt(theory.fan(model[2])[0])
    lab.claim("he.std", "Standard deviation of the repaired layer's weights is √(2 / fan_in)",
              predicted=predicted, measured=model.get_parameter("2.weight").std().item(), relation="≈",
              tolerance=Z99 * predicted / math.sqrt(2 * 256), source="He et al. 2015, arXiv:1502.01852, eq. 10",
              note="n = 256 weights, 99 % interval of a standard deviation")
    record = tc.propagation(model, (x, y), F.mse_loss)
    lab.claim("he.alive", "Share of the layer's units that are dead after it, against the all of before",
              predicted=1.0, measured=record["3"].dead_units / 16, relation="<",
              note="positive inputs point one way, so about half of the units may be silent, never all of them")
    start = F.mse_loss(model(x), y).item()
    train(model, x, y, 0.05, steps=200)
    lab.claim("he.learns", "Loss after 200 steps, below 90 % of the variance of the targets that a dead network is stuck at",
              predicted=0.9 * y.var(correction=0).item(), measured=F.mse_loss(model(x), y).item(), relation="<",
              note=f"start: {start:.3f}")
