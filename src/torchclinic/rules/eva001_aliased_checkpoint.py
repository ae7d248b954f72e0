"""The kept "best" state shares memory with the live parameters.

## What it means
`state_dict()` returns references. Training goes on and changes the kept state with it: what is restored or saved in the
end is the last state, not the best.
## Evidence
Tensors of a state dict taken at an earlier step that are loaded or saved after further steps while they still share
memory with the parameters.
## When this is fine
Saved or loaded before the next step; a deep copy or clones; a state dict taken once and saved on purpose as a live
view.
## Fix
`copy.deepcopy(model.state_dict())`, or save it to a file at once.
## References
PyTorch documentation, Saving and loading models: "best_model_state = deepcopy(model.state_dict())".
"""

from collections.abc import Iterator

from torchclinic.observe.records import CheckpointUse
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed
from torchclinic.script.statements import Statement

RULE = Rule("EVA001", "aliased-checkpoint", "error", "exact", CheckpointUse, __doc__)


def check(use: CheckpointUse) -> Iterator[Finding]:
    if not use.aliased or not (use.same_module or use.takes > 1):
        return
    done = {"load": "loaded", "save": "saved"}[use.use]
    yield RULE.finding(
        f"The state dict taken at step {use.taken_step} is {done} at step {use.used_step}, and {use.aliased} of its {use.tensors} "
        f"tensors share memory with the live model: it holds the present state, not that of step {use.taken_step}.",
        line=use.taken_line,
        step=use.taken_step,
        evidence={
            "aliased": use.aliased,
            "tensors": use.tensors,
            "used_on": use.used_line,
            "steps_between": use.used_step - use.taken_step,
        },
        fix="Keep a copy: `copy.deepcopy(model.state_dict())`.",
    )


def correct(statement: Statement, finding: Finding) -> str | None:
    call = statement.called("state_dict")
    return statement.edited((call, f"copy.deepcopy({statement.text(call)})")) if call is not None else None


def sick() -> Specimen:
    return Specimen(changed(_SCRIPT, ("copy.deepcopy(model.state_dict())", "model.state_dict()")))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)


_SCRIPT = (
    "import copy\n"
    + changed(
        CLASSIFIER,
        ("    optimizer.step()\n", "    optimizer.step()\n    if start == 32:\n        best = copy.deepcopy(model.state_dict())\n"),
    )
    + "model.load_state_dict(best)\n"
)
