"""A checkpoint was loaded, and the weights are not in the model.

## What it means
With `strict=False` keys that do not match are skipped in silence (a prefix such as `module.` from a wrapper); or the
weights were loaded and then initialized again. Training starts from scratch without saying so.
## Evidence
Keys of the model, keys that matched, the prefix that would make more of them match; weights that differ at the first
step from what was loaded.
## When this is fine
A new head whose keys are missing, unused keys of an old head, adapters that the checkpoint does not know: the rest of
the keys match.
## Fix
Strip the prefix from the keys; load after initializing; read what `load_state_dict` returns.
## References
PyTorch documentation, `torch.nn.Module.load_state_dict`, `strict`.
"""

from collections.abc import Iterator

from torchclinic.observe.records import LoadRecord
from torchclinic.report.model import Finding, Value
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed

RULE = Rule("INI007", "weights-not-loaded", "error", "exact", LoadRecord, __doc__, needs=("loaded weights",))


def check(load: LoadRecord, *, share: float = 0.5) -> Iterator[Finding]:
    """`share`: re-initializing a head changes few weights; half of them is most of the network."""
    if load.prefix or (load.matched == 0 and load.keys):
        advice = f"Add or remove the prefix `{load.prefix}` in the keys" if load.prefix else "Compare the names of the keys"
        what = f"only {load.matched} of {load.keys} keys of {load.model} were in the checkpoint"
        example = load.unexpected[0] if load.unexpected else ""
        yield _finding(load, what, {"example_in_file": example, "missing": len(load.missing)}, advice + " before loading.")
    elif load.weights and load.overwritten > share * load.weights:
        what = f"{load.overwritten} of {load.weights} loaded weights of {load.model} were overwritten before step 0"
        yield _finding(load, what, {"overwritten": load.overwritten}, "Initialize first, then load the checkpoint.")


def _finding(load: LoadRecord, what: str, evidence: dict[str, Value], fix: str) -> Finding:
    numbers: dict[str, Value] = {"keys": load.keys, "matched": load.matched}
    return RULE.finding(
        f"A checkpoint was loaded, but {what}.",
        where=load.model,
        line=load.line,
        step=load.step,
        evidence=numbers | evidence,
        fix=fix,
    )


def sick() -> Specimen:
    return Specimen(
        changed(
            _SCRIPT,
            ("model.load_state_dict(state)", "model.load_state_dict({'module.' + k: v for k, v in state.items()}, strict=False)"),
        )
    )


def healthy() -> Specimen:
    return Specimen(_SCRIPT)


_SCRIPT = changed(
    CLASSIFIER,
    (
        "optimizer = ",
        "state = {name: value * 0.9 for name, value in model.state_dict().items()}\nmodel.load_state_dict(state)\noptimizer = ",
    ),
)
