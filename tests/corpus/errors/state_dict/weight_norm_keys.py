import io

import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm


class Vocoder(nn.Module):
    def __init__(self, normalize):
        super().__init__()
        conv = nn.Conv1d(1, 8, 5, padding=2)
        self.conv = weight_norm(conv) if normalize else conv
        self.out = nn.Conv1d(8, 1, 1)

    def forward(self, wave):
        return self.out(torch.tanh(self.conv(wave)))


file = io.BytesIO()
torch.save(Vocoder(normalize=True).state_dict(), file)
file.seek(0)
inference = Vocoder(normalize=False)
inference.load_state_dict(torch.load(file))
audio = inference(torch.randn(1, 1, 50))
