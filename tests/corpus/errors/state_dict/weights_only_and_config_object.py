import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn


@dataclass
class Config:
    width: int = 32
    depth: int = 2


def build(config):
    layers = [nn.Linear(4, config.width)]
    for _ in range(config.depth):
        layers += [nn.ReLU(), nn.Linear(config.width, config.width)]
    return nn.Sequential(*layers)


def describe(config):
    return " ".join(f"{key}={value}" for key, value in asdict(config).items())


config = Config(width=16)
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, describe(config).replace(" ", "_") + ".ckpt")
    torch.save({"config": config, "weights": build(config).state_dict()}, path)
    saved = torch.load(path)
    model = build(saved["config"])
    model.load_state_dict(saved["weights"])
