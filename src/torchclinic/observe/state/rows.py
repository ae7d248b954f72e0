"""Which rows each model was trained on, by exact numbers made of their bits."""

import torch
from torch import Tensor

from torchclinic.instruments.values import is_plain, real_numbers

MOST_ROWS = 200_000
MOST_COLUMNS = 4096
LEAST_COLUMNS = 4  # numbers in a row; fewer may agree by chance
MOST_LOOKED_UP = 512  # rows of an evaluation that are looked up whatever it is called
LEAST_KNOWN = 0.02  # of them; fewer may be duplicates


class TrainedRows:
    def __init__(self) -> None:
        self.of_model: dict[int, set[int]] = {}  # what another fold was trained on is not seen
        self.latest: tuple[int, ...] = ()  # rows of the latest training forward
        self.new: dict[int, int] = {}  # of them, those its model was not trained on before, and where they stand
        self.known = 0  # of them, how many were
        self.trained = 0  # rows its model was trained on before
        self.fresh = False  # no row of it was seen in a training forward of any model before
        self._weights: dict[int, Tensor] = {}

    def train(self, model: int, tensors: list[Tensor]) -> list[int]:
        """A training forward begins, of the model with this number; its rows, to be committed once it has trained."""
        rows = self.numbers(tensors)
        own = self.of_model.setdefault(model, set())
        self.latest, self.trained = tuple(rows), len(own)
        self.known = sum(row in own for row in rows)
        self.new = {row: i for i, row in enumerate(rows) if row not in own}
        self.fresh = bool(rows) and all(known.isdisjoint(rows) for known in self.of_model.values())
        return rows

    def commit(self, model: int, rows: list[int]) -> None:
        """The model was trained on them."""
        if sum(map(len, self.of_model.values())) + len(rows) <= MOST_ROWS:
            self.of_model.setdefault(model, set()).update(rows)

    def knows(self, model: int, tensors: list[Tensor]) -> bool:
        """Whether some of up to 512 rows were seen in training forwards of the model, not all of which are observed."""
        own = self.of_model.get(model)
        if not own or not tensors or not tensors[0].dim():
            return False
        rows = self.numbers([tensors[0][:: -(-len(tensors[0]) // MOST_LOOKED_UP)]])
        return sum(row in own for row in rows) > LEAST_KNOWN * len(rows)

    def numbers(self, tensors: list[Tensor]) -> list[int]:
        """One exact number per row: the sum of its bits, each word times an odd weight, modulo 2⁶⁴."""
        tensor = tensors[0].detach() if tensors else None
        if tensor is None or not is_plain(tensor) or tensor.dim() < 2 or tensor.requires_grad or not tensor.numel():
            return []
        rows = real_numbers(tensor).reshape(len(tensor), -1)
        rows = rows[:, :: -(-rows.shape[1] // MOST_COLUMNS)]
        if rows.shape[1] < LEAST_COLUMNS:
            return []
        words = rows.float().contiguous().view(torch.int32).long()
        weights = self._weights.get(rows.shape[1])
        if weights is None:
            generator = torch.Generator().manual_seed(rows.shape[1])
            weights = torch.randint(1 << 20, 1 << 62, (rows.shape[1],), generator=generator) * 2 + 1
            self._weights[rows.shape[1]] = weights
        values: list[int] = (words * weights.to(words.device)).sum(1).tolist()
        return values
