import numpy as np
import torch


def moving_average(values, width):
    return [float(np.mean(values[i : i + width])) for i in range(len(values) - width + 1)]


signal = np.cos(np.linspace(0, 10, 60))
smooth = torch.from_numpy(moving_average(signal, 4))
spectrum = torch.fft.rfft(smooth)
