import argparse

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--log-lr", type=float, default=-3.0)
parser.add_argument("--wd", type=float, default=0.01)
args = parser.parse_args([])

model = nn.Linear(8, 1)
optimizer = torch.optim.AdamW(model.parameters(), lr=args.log_lr, weight_decay=args.wd)
loss = model(torch.randn(4, 8)).square().mean()
loss.backward()
optimizer.step()
