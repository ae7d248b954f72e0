import torch

MEAN = torch.tensor([0.485, 0.456, 0.406])
STD = torch.tensor([0.229, 0.224, 0.225])


def normalize(batch):
    return (batch - MEAN) / STD


def prepare(raw):
    batch = raw.float() / 255
    return normalize(batch)


photos = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8)
inputs = prepare(photos)
