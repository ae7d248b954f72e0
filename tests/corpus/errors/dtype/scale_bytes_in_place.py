import torch


class ToUnit:
    def __init__(self, mean=0.5):
        self.mean = mean

    def __call__(self, image):
        image /= 255
        image -= self.mean
        return image


def load(n):
    return [torch.randint(0, 256, (1, 28, 28), dtype=torch.uint8) for _ in range(n)]


transform = ToUnit()
batch = torch.stack([transform(image) for image in load(8)])
