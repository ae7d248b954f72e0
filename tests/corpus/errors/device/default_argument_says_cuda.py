import argparse

import torch
from torch import nn


def parse(argv):
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--device", default="cuda")
    return parser.parse_args(argv)


def main(argv):
    args = parse(argv)
    model = nn.Linear(10, 2)
    model.to(args.device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(args.epochs):
        x = torch.randn(16, 10, device=args.device)
        y = torch.randint(0, 2, (16,), device=args.device)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()


main([])
