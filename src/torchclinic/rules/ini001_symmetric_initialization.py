"""All units of a layer start identical, and stay identical.

## What it means
Rows of the weight are equal and so are the rows of its gradient: every unit computes the same, is updated the same, and
the layer is worth a single unit.
## Evidence
At the first step every row of the weight is the first row, bit for bit, and in one of the first five steps every row of
a non-zero gradient is the first row up to 1e-4 of its largest value (the sums are made in different orders).
A linear or convolution weight that is one constant other than 0 is reported as it is: random biases, where there are
any, separate its units only by their thresholds.
## When this is fine
Rows that are equal but receive different gradients: a zero output layer, a zero adapter. They part at once.
## Fix
Initialize at random: `nn.init.kaiming_normal_`, `nn.init.xavier_uniform_`, or leave the default.
## References
Goodfellow et al. 2016, Deep Learning, section 8.4: initial parameters must break symmetry.
"""

from collections.abc import Iterator

from torchclinic.observe.records import ParameterRecord
from torchclinic.report.model import Finding
from torchclinic.rules.corrections import drawn_at_random
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import CLASSIFIER, changed

RULE = Rule("INI001", "symmetric-initialization", "error", "exact", ParameterRecord, __doc__, follows=("INI002",))
correct = drawn_at_random


def check(p: ParameterRecord) -> Iterator[Finding]:
    constant = p.constant and p.module_type.startswith(("Linear", "Conv")) and p.reached > 0
    if not (p.rows_equal and (p.gradient_rows_equal or constant)):
        return
    yield RULE.finding(
        f"All {p.shape[0]} rows of {p.name} are identical at the start"
        f"{', and so are the rows of its gradient' if p.gradient_rows_equal else ''}: its units learn the same thing.",
        where=p.name,
        line=p.initialized_line,
        step=0,
        evidence={"rows": p.shape[0], "all_zero": p.all_zero, "shape": str(p.shape)},
        fix=f"Initialize {p.name} at random, for example with `nn.init.kaiming_uniform_`.",
    )


def sick() -> Specimen:
    return Specimen(
        changed(
            CLASSIFIER,
            ("optimizer = ", "for layer in (model[0], model[2]):\n    nn.init.constant_(layer.weight, 0.1)\noptimizer = "),
        )
    )


def healthy() -> Specimen:
    return Specimen(CLASSIFIER)
