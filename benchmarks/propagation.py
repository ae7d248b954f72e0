"""What `propagation` costs on ResNet-18, and how well it predicts at depth 50 and width 512 (20 networks each).

Run: python benchmarks/propagation.py
"""

import math
import time

import torch
from torch import nn

import torchclinic as tc
from torchclinic.models.resnet import BasicBlock, ResNet

DEPTH, WIDTH, SEEDS, SAMPLES = 50, 512, 20, 8
T99 = 2.861  # Student's t, 19 degrees of freedom, 99 %


def cost() -> None:
    torch.manual_seed(0)
    model, x = ResNet(BasicBlock, [2, 2, 2, 2], 10), torch.randn(32, 3, 32, 32)
    plain, watched = [], []
    for _ in range(7):
        start = time.perf_counter()
        model(x).sum().backward()
        plain.append(time.perf_counter() - start)
        model.zero_grad(set_to_none=True)
        start = time.perf_counter()
        tc.propagation(model, x)
        watched.append(time.perf_counter() - start)
    ratio = sorted(watched)[3] / sorted(plain)[3]
    print(f"ResNet-18, 32x32, batch 32: propagation costs {ratio:.2f} plain forward and backward passes (medians of 7)")


def draw(weight: torch.Tensor, scheme: str, phi: str, slope: float) -> None:
    gain = nn.init.calculate_gain(phi, slope) if phi == "leaky_relu" else math.sqrt(2) if phi == "relu" else 1.0
    if scheme == "he":
        nn.init.normal_(weight, 0, math.sqrt(2 / (1 + (slope**2 if phi == "leaky_relu" else 0)) / WIDTH))
    elif scheme == "xavier":
        nn.init.xavier_normal_(weight)
    else:
        nn.init.orthogonal_(weight, gain)


def accuracy() -> None:
    inside = 0
    kinds = {"relu": nn.ReLU(), "leaky_relu": nn.LeakyReLU(0.2), "tanh": nn.Tanh()}
    for scheme in ("he", "xavier", "orthogonal"):
        for name, phi in kinds.items():
            ratios = []
            for seed in range(SEEDS):
                torch.manual_seed(seed)
                layers = [nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(DEPTH)]
                for layer in layers:
                    draw(layer.weight.data, scheme, name, 0.2)
                model = nn.Sequential(*(part for layer in layers for part in (layer, phi)))
                ratios.append(tc.propagation(model, torch.randn(SAMPLES, WIDTH)).weights[-1].ratio)
            column = torch.tensor(ratios, dtype=torch.float64)
            half = T99 * column.std().item() / math.sqrt(SEEDS)
            holds = abs(column.mean().item() - 1) <= half
            inside += holds
            print(f"{scheme:10s} {name:10s} measured / predicted at layer {DEPTH}: {column.mean():.3f} ± {half:.3f}  {holds}")
    print(f"{inside} of 9 predictions within the 99 % confidence interval, {SEEDS} networks each")


if __name__ == "__main__":
    cost()
    accuracy()
