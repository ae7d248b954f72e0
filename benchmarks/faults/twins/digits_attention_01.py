"""Read a digit as 28 rows and weigh the rows by attention."""
import gzip
import os

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def load_digits(part, count):
    folder = os.path.join(os.environ["TORCHCLINIC_DATA"], "mnist")
    with gzip.open(os.path.join(folder, part + "-images-idx3-ubyte.gz")) as f:
        f.read(16)
        pixels = np.frombuffer(f.read(count * 784), np.uint8).astype("float32")
    with gzip.open(os.path.join(folder, part + "-labels-idx1-ubyte.gz")) as f:
        f.read(8)
        labels = np.frombuffer(f.read(count), np.uint8).astype("int64")
    images = torch.from_numpy(pixels).reshape(count, 1, 28, 28).sub(0.1307 * 255).div(0.3081 * 255)
    return images, torch.from_numpy(labels)


class RowAttention(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.rows = nn.Linear(28, width)
        self.place = nn.Parameter(torch.randn(28, width) * 0.3)
        self.score = nn.Linear(width, 4)
        self.head = nn.Sequential(nn.Linear(4 * width, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, images):
        h = torch.relu(self.rows(images.squeeze(1)) + self.place)
        weights = torch.softmax(self.score(h), dim=1)
        return self.head(torch.einsum("bra,brw->baw", weights, h).flatten(1))


torch.manual_seed(0)
loader = DataLoader(TensorDataset(*load_digits("train", 3000)), batch_size=60, shuffle=True)
test_x, test_y = load_digits("t10k", 400)
model = RowAttention()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(4):
    for x, y in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        accuracy = (model(test_x).argmax(1) == test_y).float().mean()
        alone = torch.cat([model(test_x[i : i + 1]) for i in range(100)]).argmax(1)
    model.train()
    print(f"epoch {epoch} loss {loss.item():.3f} accuracy {accuracy:.3f} one by one {(alone == test_y[:100]).float().mean():.3f}")
