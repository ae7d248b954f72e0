"""How many small networks per second: a vectorized ensemble against a Python loop, in the same run.

Run: python benchmarks/ensemble.py
"""

import time

import torch
from torch import nn
from torch.nn import functional as F

from torchclinic.training.ensemble import train_together

NETWORKS, STEPS, BATCH, RUNS = 512, 50, 32, 3


def networks(count: int) -> list[nn.Module]:
    torch.manual_seed(0)
    return [nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 3)) for _ in range(count)]


def loop(models: list[nn.Module], x: torch.Tensor, y: torch.Tensor) -> None:
    for model in models:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(STEPS):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()


def main() -> None:
    x, y = torch.randn(BATCH, 8), torch.randint(0, 3, (BATCH,))
    ratios = []
    for _ in range(RUNS):
        start = time.perf_counter()
        train_together(networks(NETWORKS), x, y, F.cross_entropy, steps=STEPS, lr=0.1)
        together = NETWORKS / (time.perf_counter() - start)
        few = networks(NETWORKS // 16)
        loop(few[:1], x, y)
        start = time.perf_counter()
        loop(few, x, y)
        alone = len(few) / (time.perf_counter() - start)
        ratios.append(together / alone)
        print(f"together {together:8.0f} networks/s   loop {alone:8.1f} networks/s   ratio {ratios[-1]:.1f}")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} thread(s), median ratio {sorted(ratios)[RUNS // 2]:.1f}")


if __name__ == "__main__":
    main()
