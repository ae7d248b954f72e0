import torch

torch.manual_seed(0)
train_pixels = torch.randint(0, 256, (100, 28, 28), dtype=torch.uint8)
test_pixels = torch.randint(0, 256, (20, 28, 28), dtype=torch.uint8)


def statistics(pixels):
    mean = pixels.double().mean().item()
    std = pixels.std().item()
    return mean, std


mean, std = statistics(train_pixels)
train = (train_pixels.float() - mean) / std
test = (test_pixels.float() - mean) / std
