"""A small view keeps a much larger storage alive.

## What it means
A slice shares the memory of the tensor it was cut from. Kept in a list it holds all of it; saved with `torch.save` the
file holds all of it too.
## Evidence
Bytes that are used, and bytes that are held for them. In memory: views from at least three steps whose larger tensor
nobody else holds. In a checkpoint: storages of which less than a quarter is used by what is saved.
## When this is fine
Views of a tensor that is kept anyway (batches of a data set, packed parameters that are saved together).
## Fix
`.clone()` what is kept.
## References
PyTorch documentation, Serialization semantics, Saving and loading tensors preserves views.
"""

from collections.abc import Iterator

from torchclinic.observe.records import PinnedStorage
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed
from torchclinic.units import format_nbytes

RULE = Rule("SHP007", "storage-pinned", "warning", "exact", PinnedStorage, __doc__)


def check(pinned: PinnedStorage) -> Iterator[Finding]:
    where = "The checkpoint holds" if pinned.place == "checkpoint" else "Views kept from earlier steps hold"
    yield RULE.finding(
        f"{where} {format_nbytes(pinned.held)} of storage for {format_nbytes(pinned.used)} of values in {pinned.tensors} tensors.",
        line=pinned.line,
        evidence={"used_bytes": pinned.used, "held_bytes": pinned.held, "tensors": pinned.tensors},
        fix="Keep or save `tensor.clone()`: a clone has a storage of its own.",
    )


def sick() -> Specimen:
    return Specimen(changed(_SCRIPT, ("features[0].clone()", "features[0]")))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)


_SCRIPT = (
    CLASSIFIER
    + """
import io

features = torch.randn(4096, 64)
torch.save({"first": features[0].clone(), "model": model.state_dict()}, io.BytesIO())
"""
)
