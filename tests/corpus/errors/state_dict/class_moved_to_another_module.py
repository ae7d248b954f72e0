import importlib
import sys
import tempfile
from pathlib import Path

import torch

SOURCE = """
from torch import nn

class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.boxes = nn.Linear(8, 4)
"""

with tempfile.TemporaryDirectory() as folder:
    sys.path.insert(0, folder)
    source, weights = Path(folder, "detector_v1.py"), Path(folder, "detector.pt")
    source.write_text(SOURCE)
    old = importlib.import_module("detector_v1")
    torch.save(old.Detector(), weights)

    sys.modules.pop("detector_v1")
    source.rename(Path(folder, "detection.py"))
    importlib.invalidate_caches()
    new = importlib.import_module("detection")

    model = torch.load(weights, weights_only=False)
    model.boxes(torch.randn(1, 8))
