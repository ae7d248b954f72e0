import torch
import torch.distributed as dist
from torch import nn


def setup():
    dist.init_process_group(backend="gloo")


def main():
    setup()
    model = nn.parallel.DistributedDataParallel(nn.Linear(4, 1))
    model(torch.randn(2, 4)).sum().backward()
    dist.destroy_process_group()


main()
