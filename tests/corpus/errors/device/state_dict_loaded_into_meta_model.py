import tempfile
from pathlib import Path

import torch
from torch import nn


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(16, 32)
        self.out = nn.Linear(32, 4)

    def forward(self, x):
        return self.out(torch.relu(self.hidden(x)))


def load(path):
    with torch.device("meta"):
        model = Classifier()
    state = torch.load(path)
    model.load_state_dict(state)
    return model.eval()


with tempfile.TemporaryDirectory() as folder:
    checkpoint = Path(folder) / "classifier.pt"
    torch.save(Classifier().state_dict(), checkpoint)
    restored = load(checkpoint)

scores = restored(torch.randn(3, 16))
