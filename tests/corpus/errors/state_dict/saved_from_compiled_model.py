import io

import torch
from torch import nn

net = nn.Sequential(nn.Linear(6, 12), nn.SiLU(), nn.Linear(12, 3))
fast = torch.compile(net)
checkpoint = io.BytesIO()
torch.save({"epoch": 5, "weights": fast.state_dict()}, checkpoint)

checkpoint.seek(0)
restored = nn.Sequential(nn.Linear(6, 12), nn.SiLU(), nn.Linear(12, 3))
restored.load_state_dict(torch.load(checkpoint)["weights"])
restored.eval()
