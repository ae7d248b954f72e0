import socket

import torch
import torch.distributed as dist

probe = socket.create_server(("", 0))
port = probe.getsockname()[1]

dist.init_process_group("gloo", init_method=f"tcp://localhost:{port}", rank=0, world_size=1)
counter = torch.tensor([1.0])
dist.all_reduce(counter)
dist.destroy_process_group()
