"""`tc.inspect_checkpoint`: a file, a sharded index or a folder, looked at and not executed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

from torchclinic.checkpoints.entries import TensorEntry
from torchclinic.checkpoints.findings import find_oddities, foreign
from torchclinic.checkpoints.folders import files_of
from torchclinic.checkpoints.records import Checkpoint
from torchclinic.checkpoints.scanning import Scan, scan_file
from torchclinic.checkpoints.structure import prefixes_of
from torchclinic.errors import CheckpointError
from torchclinic.report.model import Finding, NotChecked

LIMIT = 8 * 2**30


def inspect_checkpoint(path: str | PathLike[str], *, values: bool = True, limit: int = LIMIT) -> Checkpoint:
    """Every tensor of a checkpoint with its layout in the file, and what is odd about it; nothing in it is executed.

    `path` is a `.pth/.pt/.ckpt/.bin` file (zip or legacy), a `.safetensors` file, a sharded index (`.index.json`) or a
    folder. The pickle stream is interpreted by a reader of its own that builds inert records: names it would import
    are listed, never imported. The file is memory-mapped and torch is not imported. With `values`, up to `limit`
    bytes of elements are looked at for NaN, infinities and constants, and checksums are verified.

    Raises:
        CheckpointError: missing, damaged, hostile, or no checkpoint: one sentence that names the file.
    """
    files = files_of(Path(path))
    scans = [scan_file(file, values=values, limit=limit) for file in files.paths]
    tensors, aliases = _merge(scans, files.layout)
    findings = [*_misplaced(tensors, files.promised), *find_oddities(scans, tensors, aliases)]
    first = scans[0].structure
    single = files.layout == "single"
    kind = first.kind if single else f"{files.layout} {first.kind}" if files.layout == "sharded" else "folder"
    weights = first.weights if single else ""
    start = f"{weights}." if weights else ""
    names = [name.removeprefix(start) for name in tensors if name.startswith(start)]
    return Checkpoint(
        path=str(path),
        format=scans[0].format if single else files.layout,
        kind=kind if tensors else "no tensors",
        nbytes=sum(scan.nbytes for scan in scans),
        tensors=tensors,
        aliases=aliases,
        wasted_bytes=sum(sum(scan.wasted.values()) for scan in scans),
        foreign_globals=foreign(scans),
        parts=first.parts if single else {scan.path.name: scan.structure.kind for scan in scans},
        weights=weights,
        prefixes=prefixes_of(names),
        metadata={key: text for scan in scans for key, text in scan.metadata.items()},
        findings=tuple(findings),
        checked=tuple(_checked(findings, scans, values)),
        not_checked=_not_checked(scans, values),
    )


def _merge(scans: Sequence[Scan], layout: str) -> tuple[dict[str, TensorEntry], tuple[tuple[str, ...], ...]]:
    """All tensors and groups of aliases; with several files, storages are named `file:key`, in a folder tensors too."""
    if layout == "single":
        return dict(scans[0].tensors), scans[0].aliases
    tensors: dict[str, TensorEntry] = {}
    aliases = []
    for scan in scans:
        names = {name: f"{scan.path.name}:{name}" if layout == "folder" else name for name in scan.tensors}
        for name, entry in scan.tensors.items():
            if names[name] in tensors:
                raise CheckpointError(f"{name!r} is in both {tensors[names[name]].file} and {scan.path.name}.")
            tensors[names[name]] = replace(entry, name=names[name], storage=f"{scan.path.name}:{entry.storage}")
        aliases += [tuple(names[name] for name in group) for group in scan.aliases]
    return tensors, tuple(aliases)


def _misplaced(tensors: Mapping[str, TensorEntry], promised: Mapping[str, str]) -> list[Finding]:
    """Where a sharded index and its files disagree."""
    findings = []
    for name, file in promised.items():
        if name not in tensors or tensors[name].file != file:
            message = f"The index promises {name!r} in {file}, where it is not."
            findings.append(Finding("CKP007", "index-disagrees", "error", message, where=name))
    extra = [name for name in tensors if promised and name not in promised]
    if extra:
        message = f"{len(extra)} tensors are in no entry of the index, among them {extra[0]!r}."
        findings.append(Finding("CKP007", "index-disagrees", "warning", message, where=extra[0]))
    return findings[:100]


def _checked(findings: Sequence[Finding], scans: Sequence[Scan], values: bool) -> list[str]:
    found = {finding.code for finding in findings}
    checks = {"CKP001": "only torch's own data types would be imported", "SHP007": "every stored byte is in a tensor"}
    if values:
        checks |= {"CKP002": "no NaN and no infinity", "CKP005": "no weight is all zero"}
    if values and all(scan.format in ("zip", "torchscript") for scan in scans):
        checks["CKP003"] = "checksums fit"
    return [text for code, text in checks.items() if code not in found]


def _not_checked(scans: Sequence[Scan], values: bool) -> tuple[NotChecked, ...]:
    if not values:
        return (NotChecked("values", "the elements were not looked at, as asked"),)
    return tuple(item for scan in scans for item in scan.not_checked)
