"""The corrected line of a finding, where the remedy is local; and the corrections that are shared or long."""

import ast
import re
from dataclasses import replace

from torchclinic.report.model import Finding
from torchclinic.rules.rule import Correct, corrections
from torchclinic.script.statements import Statement, name_of, parses, statement_at


def with_correction(finding: Finding) -> Finding:
    """The finding with its corrected line, if one can be given; otherwise as it is."""
    correct = corrections().get(finding.code)
    statement = statement_at(finding.line) if correct is not None else None
    if correct is None or statement is None:
        return finding
    text = correct(statement, finding)
    return replace(finding, corrected=text) if text is not None and parses(text, statement.indent) else finding


def without(*names: str) -> Correct:
    """The argument of a call of one of `names` instead of the call; an identity where a module is made."""

    def correct(statement: Statement, finding: Finding) -> str | None:
        called = [call for call in statement.calls() if name_of(call).lower().strip("_") in names]
        made = [call for call in called if name_of(call)[0].isupper()]
        if made:
            last = max(made, key=lambda call: (call.lineno, call.col_offset))
            package = statement.text(last.func.value) if isinstance(last.func, ast.Attribute) else "torch.nn"
            return statement.edited((last, f"{package}.Identity()"))
        for call in called:
            method = isinstance(call.func, ast.Attribute) and (not call.args or _is_number(call.args[0]))
            inner = call.func.value if method and isinstance(call.func, ast.Attribute) else next(iter(call.args), None)
            if inner is not None:
                return statement.edited((call, statement.text(inner)))
        return None

    return correct


def _is_number(node: ast.expr) -> bool:
    return isinstance(node.operand if isinstance(node, ast.UnaryOp) else node, ast.Constant)


def is_loss(call: ast.Call) -> bool:
    """By its name."""
    return any(part in name_of(call).lower() for part in ("loss", "criterion", "entropy", "div"))


def same_shape(statement: Statement, finding: Finding) -> str | None:
    """The operand with the extra dimension of size 1 loses it."""
    for node in ast.walk(statement.node):
        pair: list[ast.expr] = []
        if isinstance(node, ast.Call) and len(node.args) >= 2 and is_loss(node):
            pair = node.args[:2]
        elif isinstance(node, ast.Compare) and len(node.comparators) == 1:
            pair = [node.left, node.comparators[0]]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
            pair = [node.left, node.right]
        if pair:
            left, right = (len(re.findall(r"\d+", str(finding.evidence.get(side)))) for side in ("left", "right"))
            deeper = 0 if left > right else 1
            text = statement.text(pair[deeper])
            whole = text if isinstance(pair[deeper], ast.Name | ast.Call | ast.Attribute) else f"({text})"
            return statement.edited((pair[deeper], f"{whole}.squeeze(-1)"))
    return None


def mode_before(mode: str) -> Correct:
    """The model that is called is put into this mode on a line before."""

    def correct(statement: Statement, finding: Finding) -> str | None:
        for call in statement.calls():
            name = statement.text(call.func)
            if name.isidentifier() and name.islower() and _assigned_from_call(statement.tree, name):
                return f"{statement.indent}{name}.{mode}()\n{statement.edited()}"
        return None

    return correct


def _assigned_from_call(tree: ast.Module, name: str) -> bool:
    """Somewhere `name = Something(...)`: an object, not a function of the script."""
    targets = (
        target
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for target in node.targets
    )
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def rate_times(factor: float) -> Correct:
    """Another learning rate."""

    def correct(statement: Statement, finding: Finding) -> str | None:
        for call in statement.calls():
            for keyword in call.keywords:
                value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
                if keyword.arg == "lr" and isinstance(value, int | float):
                    return statement.edited((keyword.value, f"{value * factor:g}"))
        return None

    return correct


def drawn_at_random(statement: Statement, finding: Finding) -> str | None:
    """Weights get random first values instead of constant ones."""
    for call in statement.calls():
        if name_of(call) in ("zeros_", "ones_", "constant_") and call.args:
            base = statement.text(call.func).rpartition(".")[0]
            package = f"{base}." if base else ""
            return statement.edited((call, f"{package}kaiming_normal_({statement.text(call.args[0])})"))
    return None


def reattached(statement: Statement, finding: Finding) -> str | None:
    """A draw gets its gradient back; a `detach()` goes."""
    for call in statement.calls():
        if finding.evidence.get("cut") == "sample" and isinstance(call.func, ast.Attribute):
            owner = statement.text(call.func.value)
            if call.func.attr == "sample":
                rest = statement.text(call).removeprefix(f"{owner}.sample")
                return statement.edited((call, f"{owner}.rsample{rest}"))
            if owner == "torch" and call.func.attr == "normal" and len(call.args) == 2 and not call.keywords:
                mean, spread = map(statement.text, call.args)
                return statement.edited((call, f"({mean} + {spread} * torch.randn_like({mean}))"))
    return without("detach")(statement, finding) if finding.evidence.get("cut") == "detach" else None


def stepped(statement: Statement, finding: Finding) -> str | None:
    """`p = p - change` writes into `p`; a backward pass is followed by a step of the only optimizer."""
    node = statement.node
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp) and len(node.targets) == 1:
        target, name = node.targets[0], statement.text(node.targets[0])
        sign = {ast.Sub: "-", ast.Add: "+"}.get(type(node.value.op))
        if isinstance(target, ast.Name) and sign and statement.text(node.value.left) == name:
            return f"{statement.indent}{name} {sign}= {statement.text(node.value.right)}"
        return None
    assigned = [node for node in ast.walk(statement.tree) if isinstance(node, ast.Assign)]
    made = [assign for assign in assigned if re.match(r"(torch\.)?optim\.[A-Z]\w*\(", statement.text(assign.value))]
    names = {statement.text(target) for assign in made for target in assign.targets}
    if len(names) == 1 and statement.called("backward"):
        return f"{statement.edited()}\n{statement.indent}{names.pop()}.step()"
    return None
