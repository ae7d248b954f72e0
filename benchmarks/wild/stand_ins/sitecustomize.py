"""Runs before every program of the benchmark: the generators of random numbers start at the same place in each run."""

import os
import random

if seed := os.environ.get("WILD_SEED"):
    import numpy as np
    import torch

    random.seed(int(seed))
    np.random.seed(int(seed))
    torch.manual_seed(int(seed))
