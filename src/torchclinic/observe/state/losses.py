"""The loss at each backward pass, and the tensors it was read from."""

import weakref
from array import array
from collections import deque

import torch
from torch import Tensor

MOST_DEFERRED = 64  # losses on a device that wait to be read together


class LossCurve:
    def __init__(self) -> None:
        self.steps = array("q")
        self.values = array("d")
        self.latest: float | None = None  # None: it waits for a device, or is no single number
        self.roots: deque[tuple[int, str, weakref.ref[Tensor]]] = deque(maxlen=64)  # step, line if it was seen, tensor
        self._deferred: list[tuple[int, Tensor]] = []

    def add(self, root: Tensor, step: int) -> None:
        """A backward pass begins from `root`."""
        self.latest = None
        if root.numel() == 1 and root.is_cpu:
            self.latest = root.item()
            self.steps.append(step)
            self.values.append(self.latest)
        elif root.numel() == 1:
            self._deferred.append((step, root.detach()))
            if len(self._deferred) >= MOST_DEFERRED:
                self.flush()
        self.roots.append((step, "", weakref.ref(root)))

    def note(self, loss: Tensor | float, step: int) -> None:
        """Add a point by hand."""
        self.steps.append(step)
        self.values.append(float(loss))

    def flush(self) -> None:
        waiting, self._deferred = self._deferred, []
        if waiting:
            self.steps.extend(step for step, _ in waiting)
            self.values.extend(torch.stack([value.reshape(()).float() for _, value in waiting]).tolist())
