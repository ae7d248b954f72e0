from datetime import timedelta

import torch
import torch.distributed as dist


def connect(rank, world_size):
    store = dist.TCPStore("localhost", 0, world_size, is_master=rank == 0, timeout=timedelta(seconds=1))
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world_size)


def main(rank=0, world_size=2):
    connect(rank, world_size)
    values = torch.arange(4.0)
    dist.all_reduce(values)
    dist.destroy_process_group()


main()
