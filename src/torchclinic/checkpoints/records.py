"""What an inspection returns, and how it is shown."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torchclinic.checkpoints.entries import TensorEntry
from torchclinic.checkpoints.naming import printable
from torchclinic.report.model import Finding, NotChecked, Prose, Section, Table
from torchclinic.report.results import Report, Reported
from torchclinic.units import format_count, format_nbytes

MOST_ROWS = 1000


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
        return _report_of(self)


def _report_of(checkpoint: Checkpoint) -> Report:
    """The inspection as a report; its JSON carries every tensor."""
    entries = checkpoint.tensors.values()
    total = sum(entry.nbytes for entry in entries)
    return Report(
        title=f"Checkpoint {checkpoint.path}",
        summary=f"{checkpoint.kind} ({checkpoint.format}): {format_count(len(entries))} tensors, "
        f"{format_nbytes(total)} in a file of {format_nbytes(checkpoint.nbytes)}; nothing was executed.",
        sections=tuple(_sections(checkpoint)),
        findings=checkpoint.findings,
        checked=checkpoint.checked,
        not_checked=checkpoint.not_checked,
        data={
            "path": checkpoint.path,
            "format": checkpoint.format,
            "kind": checkpoint.kind,
            "nbytes": checkpoint.nbytes,
            "tensors": {name: entry.to_dict() for name, entry in checkpoint.tensors.items()},
            "aliases": [list(group) for group in checkpoint.aliases],
            "wasted_bytes": checkpoint.wasted_bytes,
            "foreign_globals": dict(checkpoint.foreign_globals),
            "parts": dict(checkpoint.parts),
            "weights": checkpoint.weights,
            "prefixes": dict(checkpoint.prefixes),
            "metadata": dict(checkpoint.metadata),
            "warnings": list(checkpoint.warnings),
        },
    )


def _sections(checkpoint: Checkpoint) -> Iterator[Section]:
    parts = tuple((name or "(top level)", what) for name, what in checkpoint.parts.items())
    if parts or checkpoint.prefixes or checkpoint.metadata:
        texts = [f"Names start with `{prefix}`: {origin}." for prefix, origin in checkpoint.prefixes.items()]
        texts += [f"`{printable(k)}`: {printable(v)}" for k, v in list(checkpoint.metadata.items())[:20]]
        tables = (Table(("part", "what it is"), parts),) if parts else ()
        yield Section("What is in it", (*((Prose("\n\n".join(texts)),) if texts else ()), *tables))
    columns = ("tensor", "shape", "dtype", "bytes", "storage", "offset", "stride", "elements")
    rows = tuple(_row(entry) for entry in list(checkpoint.tensors.values())[:MOST_ROWS])
    left = len(checkpoint.tensors) - len(rows)
    caption = f"{format_count(left)} more tensors are in the JSON." if left else ""
    yield Section("Tensors", (Table(columns, rows, caption),))


def _row(entry: TensorEntry) -> tuple[str | int, ...]:
    shape, stride = (" × ".join(map(str, entry.shape)) or "scalar"), ", ".join(map(str, entry.stride))
    return (entry.name, shape, entry.dtype, entry.nbytes, entry.storage, entry.offset, stride, _elements(entry))


def _elements(entry: TensorEntry) -> str:
    values = entry.values
    if values is None:
        return "not looked at" if entry.nbytes else "none"
    if not values.finite:
        return f"{values.nan} NaN, {values.inf} infinite"
    return "all zero" if values.zero else "constant" if values.constant else "finite"
