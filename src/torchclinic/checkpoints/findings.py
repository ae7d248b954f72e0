"""What a reader should know about a checkpoint, and the report of it."""

from collections.abc import Iterator, Mapping, Sequence

from torchclinic.checkpoints.entries import TensorEntry
from torchclinic.checkpoints.naming import printable
from torchclinic.checkpoints.scanning import Scan
from torchclinic.checkpoints.trust import is_own, is_powerful, reason
from torchclinic.report.model import Finding, Severity
from torchclinic.units import format_count, format_nbytes

NAMED = 5
MOST_GLOBALS = 50
MOST_GROUPS = 10


def foreign(scans: Sequence[Scan]) -> dict[str, str]:
    """Globals that are not torch's own → why they are named."""
    met = {name: called for scan in scans for name, called in scan.globals.items() if not is_own(name)}
    return {printable(str(name)): reason(name, called) for name, called in met.items()}


def find_oddities(scans: Sequence[Scan], tensors: Mapping[str, TensorEntry], aliases: Sequence[Sequence[str]]) -> Iterator[Finding]:
    yield from _foreign_globals(scans)
    yield from _odd_values(tensors)
    for scan in scans:
        if scan.damaged:
            message = f"{len(scan.damaged)} storages of {scan.path.name} do not fit their checksum: {_few(scan.damaged)}."
            yield Finding("CKP003", "damaged-storage", "error", message, fix="Fetch the file again.")
        wasted = sum(scan.wasted.values())
        if wasted:
            message = (
                f"{format_nbytes(wasted)} of {scan.path.name} are stored but part of no tensor "
                f"({len(scan.wasted)} storage{'s' * (len(scan.wasted) > 1)}): a slice carries its whole storage."
            )
            severity: Severity = "warning" if wasted >= 0.01 * scan.nbytes else "info"
            evidence = {"wasted_bytes": wasted, "storages": len(scan.wasted)}
            fix = "Clone such tensors before saving: {name: t.clone() for name, t in state.items()}."
            yield Finding("SHP007", "storage-pinned", severity, message, evidence=evidence, fix=fix)
    for group in aliases[:MOST_GROUPS]:
        message = f"{_few(group)} share memory in the file: tied weights, or views of one storage."
        yield Finding("CKP004", "shared-storage", "info", message, where=group[0])
    if len(aliases) > MOST_GROUPS:
        message = f"{format_count(len(aliases) - MOST_GROUPS)} more groups of tensors share memory."
        yield Finding("CKP004", "shared-storage", "info", message)


def _foreign_globals(scans: Sequence[Scan]) -> Iterator[Finding]:
    met = [(scan, name, called) for scan in scans for name, called in scan.globals.items() if not is_own(name)]
    met.sort(key=lambda one: not is_powerful(one[1]))
    for scan, name, called in met[:MOST_GLOBALS]:
        compiled = name.module.startswith("__torch__")
        severity: Severity = "error" if is_powerful(name) else "info" if compiled else "warning"
        message = f"{printable(str(name))} {reason(name, called)}."
        fix = "Load with torch.load(…, weights_only=True), or not at all." if severity == "error" else ""
        yield Finding("CKP001", "foreign-global", severity, message, where=scan.path.name, fix=fix)
    if len(met) > MOST_GLOBALS:
        message = f"{format_count(len(met) - MOST_GLOBALS)} more foreign globals are in the list."
        yield Finding("CKP001", "foreign-global", "warning", message)


def _odd_values(tensors: Mapping[str, TensorEntry]) -> Iterator[Finding]:
    judged = {name: entry.values for name, entry in tensors.items() if entry.values is not None}
    for name, values in judged.items():
        if not values.finite:
            message = f"{name} holds {format_count(values.nan)} NaN and {format_count(values.inf)} infinite elements."
            evidence = {"nan": values.nan, "inf": values.inf}
            yield Finding("CKP002", "non-finite-values", "error", message, where=name, evidence=evidence)
    matrices = {name: values for name, values in judged.items() if len(tensors[name].shape) >= 2}
    zero = [name for name, values in matrices.items() if values.zero]
    constant = [name for name, values in matrices.items() if values.constant and not values.zero]
    if zero:
        message = f"{len(zero)} weight{'s are' if len(zero) > 1 else ' is'} all zero: {_few(zero)}."
        yield Finding("CKP005", "zero-weights", "warning", message, where=zero[0], evidence={"count": len(zero)})
    if constant:
        message = f"Every element of {_few(constant)} has one and the same value."
        yield Finding("CKP006", "constant-weights", "warning", message, where=constant[0])


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED} more"
