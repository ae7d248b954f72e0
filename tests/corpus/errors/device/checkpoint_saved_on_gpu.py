import tempfile
from pathlib import Path
from unittest import mock

import torch
from torch import nn


def save_as_on_the_cluster(model, path):
    with mock.patch("torch.serialization.location_tag", return_value="cuda:0"):
        torch.save({"epoch": 12, "model": model.state_dict()}, path)


def resume(model, path):
    checkpoint = torch.load(path)
    model.load_state_dict(checkpoint["model"])
    return checkpoint["epoch"]


folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "last.ckpt"
save_as_on_the_cluster(nn.Linear(6, 2), path)
start_epoch = resume(nn.Linear(6, 2), path)
