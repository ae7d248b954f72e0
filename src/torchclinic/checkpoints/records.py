"""What an inspection returns: plain frozen data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torchclinic.checkpoints.values import Values
from torchclinic.report.model import Finding, NotChecked, Report, Reported


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


@dataclass(frozen=True, slots=True)
class Checkpoint(Reported):
    """A checkpoint, looked at from outside."""

    path: str
    format: str  # "zip", "legacy", "pickle", "safetensors", "torchscript", "sharded", "folder"
    kind: str  # "state dict", "training checkpoint", "Lightning checkpoint", "optimizer state", "whole model", …
    nbytes: int  # of the file or files
    tensors: Mapping[str, TensorEntry]
    aliases: tuple[tuple[str, ...], ...]  # groups of tensors whose byte ranges overlap in one storage
    wasted_bytes: int  # stored, but part of no tensor
    foreign_globals: Mapping[str, str]  # what unpickling would import beyond torch's own data types → the reason
    parts: Mapping[str, str]  # top-level part → what it is
    weights: str  # the part that holds the model's weights; "" = the top level
    prefixes: Mapping[str, str]  # prefix common to the weights' names → where it comes from
    metadata: Mapping[str, str]
    findings: tuple[Finding, ...]
    checked: tuple[str, ...]
    not_checked: tuple[NotChecked, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(finding.message for finding in self.findings if finding.severity != "info")

    def state_dict(self) -> dict[str, TensorEntry]:
        """The model's weights by the names `load_state_dict` would see."""
        start = f"{self.weights}." if self.weights else ""
        return {name.removeprefix(start): entry for name, entry in self.tensors.items() if name.startswith(start)}

    def report(self) -> Report:
        from torchclinic.checkpoints.findings import report_of

        return report_of(self)
