import tempfile
from pathlib import Path

import torch
from torch import nn

POINTER = """version https://git-lfs.github.com/spec/v1
oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
size 44730
"""


def restore(model, path):
    state = torch.load(path, map_location="cpu")
    model.load_state_dict(state)
    return model


with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "encoder.pth")
    path.write_text(POINTER)
    encoder = restore(nn.Linear(64, 32), path)
