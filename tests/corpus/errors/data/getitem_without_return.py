import torch
from torch.utils.data import DataLoader, Dataset


class Spectra(Dataset):
    def __init__(self, waves, normalize=True):
        self.waves = waves
        self.normalize = normalize

    def __len__(self):
        return self.waves.size(0)

    def __getitem__(self, index):
        spectrum = torch.fft.rfft(self.waves[index]).abs()
        if not self.normalize:
            return spectrum
        spectrum = spectrum / spectrum.max()


waves = torch.sin(torch.arange(64) * torch.rand(20, 1))
for spectra in DataLoader(Spectra(waves), batch_size=5):
    peak = spectra.argmax(dim=1)
