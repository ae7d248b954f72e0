import io

import numpy as np
import torch
from torch import nn


def evaluate(net, batches):
    return np.mean([net(batch).mean().item() for batch in batches])


net = nn.Linear(5, 1)
best = evaluate(net, [torch.randn(8, 5) for _ in range(3)])
file = io.BytesIO()
torch.save({"state_dict": net.state_dict(), "best_score": best}, file)

file.seek(0)
checkpoint = torch.load(file)
net.load_state_dict(checkpoint["state_dict"])
