"""Whether this process is one of several that train together."""

import torch


def replicas() -> int:
    """Ranks of the default process group."""
    distributed = torch.distributed
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1
