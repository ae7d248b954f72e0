import torch
from torch import nn

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
SEED = 1234


def noise(shape):
    generator = torch.Generator("cuda").manual_seed(SEED)
    return torch.randn(shape, generator=generator, device=device)


denoise = nn.Conv2d(4, 4, 3, padding=1).to(device)
latents = noise((1, 4, 8, 8))
for _ in range(3):
    latents = latents - 0.1 * denoise(latents)
