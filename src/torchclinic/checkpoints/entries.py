"""One tensor of a checkpoint: plain frozen data."""

from dataclasses import dataclass
from typing import Any

from torchclinic.checkpoints.values import Values


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """One tensor of a checkpoint. `offset` and `stride` count elements, as in torch."""

    name: str
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: str
    nbytes: int  # of its elements
    storage: str  # key of the storage it lies in
    offset: int
    storage_nbytes: int
    file: str
    file_offset: int | None  # first byte of the tensor in the file; None if the storage is compressed
    requires_grad: bool
    values: Values | None  # None = not judged

    def to_dict(self) -> dict[str, Any]:
        judged = self.values
        return {
            "shape": list(self.shape),
            "stride": list(self.stride),
            "dtype": self.dtype,
            "nbytes": self.nbytes,
            "storage": self.storage,
            "offset": self.offset,
            "storage_nbytes": self.storage_nbytes,
            "file": self.file,
            "file_offset": self.file_offset,
            "nan": judged.nan if judged else None,
            "inf": judged.inf if judged else None,
            "constant": judged.constant if judged else None,
            "zero": judged.zero if judged else None,
        }
