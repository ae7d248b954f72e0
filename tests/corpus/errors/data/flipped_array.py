import numpy as np
import torch


class BgrReader:
    def __init__(self, height, width):
        self.frame = np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)

    def read(self):
        return self.frame[:, :, ::-1]


def preprocess(frame):
    tensor = torch.from_numpy(frame).permute(2, 0, 1)
    return tensor.float().div(255).unsqueeze(0)


camera = BgrReader(4, 6)
batch = preprocess(camera.read())
