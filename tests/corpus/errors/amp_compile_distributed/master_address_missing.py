import os

import torch
import torch.distributed as dist


def run(rank, size):
    os.environ["RANK"] = str(rank)
    os.environ["WORLD_SIZE"] = str(size)
    os.environ["MASTER_PORT"] = "0"
    dist.init_process_group("gloo")
    total = torch.ones(3) * rank
    dist.all_reduce(total)
    dist.destroy_process_group()


run(rank=0, size=1)
