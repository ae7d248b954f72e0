import tempfile
from pathlib import Path

import torch
from torch import nn

model = nn.Sequential(nn.Linear(13, 13), nn.Sigmoid())
with tempfile.TemporaryDirectory() as workdir:
    checkpoint_file = str(Path(workdir, "model_best.pth"))
    torch.save(model.state_dict(), checkpoint_file)
    model.load_state_dict(checkpoint_file)
    model.eval()
