import torch
from torch import nn


def load_model(fp16):
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10))
    if fp16:
        model.half()
    return model.eval()


class Service:
    def __init__(self, fp16=True):
        self.model = load_model(fp16)

    @torch.inference_mode()
    def __call__(self, images):
        return self.model(images).argmax(1).tolist()


service = Service()
answers = service(torch.rand(2, 3, 32, 32))
