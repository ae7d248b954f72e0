import tempfile
from pathlib import Path

import torch
from torch import nn


def download(source, destination, limit=4096):
    with source.open("rb") as remote, destination.open("wb") as local:
        local.write(remote.read(limit))


layer = nn.Linear(100, 100)
with tempfile.TemporaryDirectory() as folder:
    remote, local = Path(folder, "remote.pt"), Path(folder, "local.pt")
    torch.save(layer.state_dict(), remote)
    download(remote, local)
    layer.load_state_dict(torch.load(local))
