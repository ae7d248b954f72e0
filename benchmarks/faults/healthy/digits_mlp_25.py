"""Stop when the validation loss no longer improves, return to the best weights."""
import copy
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


def validation_loss(model, x, y):
    model.eval()
    with torch.no_grad():
        return nn.functional.cross_entropy(model(x), y).item()


def main():
    torch.manual_seed(0)
    loader = DataLoader(TensorDataset(*load_digits("train", 1000)), batch_size=50, shuffle=True)
    valid = load_digits("t10k", 400)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    best, best_state, patience = float("inf"), None, 0
    for epoch in range(12):
        model.train()
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        current = validation_loss(model, *valid)
        print(f"epoch {epoch} validation loss {current:.4f}")
        if current < best:
            best, best_state, patience = current, copy.deepcopy(model.state_dict()), 0
        else:
            patience += 1
            if patience == 2:
                break
    model.load_state_dict(best_state)
    print(f"best {best:.4f}, restored {validation_loss(model, *valid):.4f}")


main()
