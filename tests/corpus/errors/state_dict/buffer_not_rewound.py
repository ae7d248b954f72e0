import io

import torch
from torch import nn


class Checkpoints:
    def __init__(self):
        self.buffer = io.BytesIO()

    def keep(self, module):
        self.buffer.truncate(0)
        torch.save(module.state_dict(), self.buffer)

    def restore(self, module):
        module.load_state_dict(torch.load(self.buffer))


checkpoints = Checkpoints()
layer = nn.LayerNorm(24)
checkpoints.keep(layer)
layer.weight.data.fill_(5.0)
checkpoints.restore(layer)
