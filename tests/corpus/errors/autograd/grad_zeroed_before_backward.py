import torch

signal = torch.sin(torch.linspace(0, 6.28, 100))
kernel = torch.full((5,), 0.2, requires_grad=True)


def smooth(values, taps):
    return torch.nn.functional.conv1d(values[None, None], taps[None, None], padding=2)[0, 0]


for _ in range(5):
    kernel.grad.zero_()
    loss = (smooth(signal, kernel) - signal).abs().mean()
    loss.backward()
    with torch.no_grad():
        kernel -= 0.05 * kernel.grad
