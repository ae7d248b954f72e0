"""Batches of flat digits, as TensorFlow's tutorials had them."""

from types import SimpleNamespace
from typing import Any

import numpy as np
from torchvision.datasets import MNIST


class Split:
    """Digits as rows of 784 floats from 0 to 1, labels as numbers or one-hot."""

    def __init__(self, train: bool, one_hot: bool) -> None:
        digits = MNIST(train=train)
        self.images = digits.data.reshape(-1, 784).numpy().astype(np.float32) / 255
        numbers = digits.targets.numpy()
        self.labels = np.eye(10, dtype=np.float64)[numbers] if one_hot else numbers
        self.num_examples, self.at = len(numbers), 0

    def next_batch(self, size: int) -> tuple[Any, Any]:
        """The next rows; after the last one all are shuffled."""
        if self.at + size > self.num_examples:
            order, self.at = np.random.permutation(self.num_examples), 0
            self.images, self.labels = self.images[order], self.labels[order]
        rows, self.at = slice(self.at, self.at + size), self.at + size
        return self.images[rows], self.labels[rows]


def read_data_sets(folder: Any, one_hot: bool = False) -> SimpleNamespace:
    """Training, validation and test digits."""
    test = Split(False, one_hot)
    return SimpleNamespace(train=Split(True, one_hot), validation=test, test=test)


input_data = SimpleNamespace(read_data_sets=read_data_sets)
