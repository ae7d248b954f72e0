"""The corrected line, where the remedy of a finding is local: the source is read and changed, never run."""

import ast
import linecache
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from torchclinic.report.model import Finding

Edit = tuple[ast.expr, str]  # a part of the statement, and the text that takes its place


@dataclass(frozen=True, slots=True)
class Statement:
    """The innermost statement at a line of a script."""

    node: ast.stmt
    source: str  # of the whole file
    tree: ast.Module

    @property
    def indent(self) -> str:
        line = self.source.splitlines()[self.node.lineno - 1]
        return line[: len(line) - len(line.lstrip())]

    def text(self, node: ast.AST) -> str:
        return ast.get_source_segment(self.source, node) or ""

    def calls(self) -> Iterator[ast.Call]:
        return (node for node in ast.walk(self.node) if isinstance(node, ast.Call))

    def edited(self, *edits: Edit) -> str:
        """The statement with parts of it replaced."""
        lines = self.source.splitlines(keepends=True)
        starts = [0]
        for line in lines:
            starts.append(starts[-1] + len(line.encode()))
        whole = self.source.encode()
        first = starts[self.node.lineno - 1]
        last = starts[(self.node.end_lineno or self.node.lineno) - 1] + (self.node.end_col_offset or 0)
        for part, text in sorted(edits, key=lambda edit: (edit[0].lineno, edit[0].col_offset), reverse=True):
            start = starts[part.lineno - 1] + part.col_offset
            stop = starts[(part.end_lineno or part.lineno) - 1] + (part.end_col_offset or 0)
            whole = whole[:start] + text.encode() + whole[stop:]
            last += len(text.encode()) - (stop - start)
        return whole[first:last].decode()


Correct = Callable[[Statement, Finding], str | None]


def with_correction(finding: Finding) -> Finding:
    """The finding with its corrected line, if one can be given; otherwise as it is."""
    correct = _CORRECTIONS.get(finding.code)
    statement = _statement(finding.line) if correct is not None else None
    if correct is None or statement is None:
        return finding
    text = correct(statement, finding)
    return replace(finding, corrected=text) if text is not None and _parses(text, statement.indent) else finding


def _statement(place: str) -> Statement | None:
    name, _, number = place.rpartition(":")
    if not name or not number.isdigit():
        return None
    source = "".join(linecache.getlines(str(Path(name).absolute())))
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    line = int(number)
    found = [n for n in ast.walk(tree) if isinstance(n, ast.stmt) and n.lineno <= line <= (n.end_lineno or n.lineno)]
    innermost = max(found, key=lambda node: node.lineno, default=None)
    simple = innermost is not None and not hasattr(innermost, "body")
    return Statement(innermost, source, tree) if simple and innermost is not None else None


def _parses(text: str, indent: str) -> bool:
    dedented = "\n".join(line.removeprefix(indent) for line in text.splitlines())
    try:
        ast.parse(
            f"async def f(self):\n for _ in ():\n{''.join(f'  {line}' + chr(10) for line in dedented.splitlines())}"
        )
    except SyntaxError:
        return False
    return True


def _name(call: ast.Call) -> str:
    func = call.func
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""


def _without(*names: str) -> Correct:
    """The argument of a call of one of `names` instead of the call; an identity where a module is made."""

    def correct(statement: Statement, finding: Finding) -> str | None:
        called = [call for call in statement.calls() if _name(call).lower().strip("_") in names]
        made = [call for call in called if _name(call)[0].isupper()]
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


def _swap_arguments(statement: Statement, finding: Finding) -> str | None:
    call = next((call for call in statement.calls() if len(call.args) == 2 and "loss" in _loss_name(call)), None)
    if call is None:
        return None
    first, second = call.args
    return statement.edited((first, statement.text(second)), (second, statement.text(first)))


def _loss_name(call: ast.Call) -> str:
    name = _name(call).lower()
    return "loss" if any(part in name for part in ("loss", "criterion", "entropy", "div")) else name


def _same_shape(statement: Statement, finding: Finding) -> str | None:
    """The operand with the extra dimension of size 1 loses it."""
    for node in ast.walk(statement.node):
        pair: list[ast.expr] = []
        if isinstance(node, ast.Call) and len(node.args) >= 2 and "loss" in _loss_name(node):
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


def _clear_before(statement: Statement, finding: Finding) -> str | None:
    """`optimizer.step()` is followed by the clearing of its gradients."""
    step = next(
        (call for call in statement.calls() if _name(call) == "step" and isinstance(call.func, ast.Attribute)), None
    )
    if step is None or not isinstance(step.func, ast.Attribute):
        return None
    return f"{statement.edited()}\n{statement.indent}{statement.text(step.func.value)}.zero_grad()"


def _mode_before(mode: str) -> Correct:
    def correct(statement: Statement, finding: Finding) -> str | None:
        for call in statement.calls():
            name = statement.text(call.func)
            if _is_variable(name) and _assigned_from_call(statement.tree, name):
                return f"{statement.indent}{name}.{mode}()\n{statement.edited()}"
        return None

    return correct


def _is_variable(name: str) -> bool:
    return name.isidentifier() and name.islower()


def _assigned_from_call(tree: ast.Module, name: str) -> bool:
    """Somewhere `name = Something(...)`: an object, not a function of the script."""
    targets = (
        target
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for target in node.targets
    )
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _rate_times(factor: float) -> Correct:
    def correct(statement: Statement, finding: Finding) -> str | None:
        for call in statement.calls():
            for keyword in call.keywords:
                value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
                if keyword.arg == "lr" and isinstance(value, int | float):
                    return statement.edited((keyword.value, f"{value * factor:g}"))
        return None

    return correct


def _copied_state(statement: Statement, finding: Finding) -> str | None:
    call = next((call for call in statement.calls() if _name(call) == "state_dict"), None)
    return statement.edited((call, f"copy.deepcopy({statement.text(call)})")) if call is not None else None


def _number_kept(statement: Statement, finding: Finding) -> str | None:
    """`total += loss` and `losses.append(loss)` keep a number, not a graph."""
    if isinstance(statement.node, ast.AugAssign) and isinstance(statement.node.value, ast.Name | ast.Attribute):
        return statement.edited((statement.node.value, f"{statement.text(statement.node.value)}.item()"))
    call = next((call for call in statement.calls() if _name(call) == "append" and len(call.args) == 1), None)
    if call is None or not isinstance(call.args[0], ast.Name):
        return None
    return statement.edited((call.args[0], f"{statement.text(call.args[0])}.item()"))


def _drawn_at_random(statement: Statement, finding: Finding) -> str | None:
    for call in statement.calls():
        if _name(call) in ("zeros_", "ones_", "constant_") and call.args:
            base = statement.text(call.func).rpartition(".")[0]
            return statement.edited(
                (call, f"{base + '.' if base else ''}kaiming_normal_({statement.text(call.args[0])})")
            )
    return None


def _permuted(statement: Statement, finding: Finding) -> str | None:
    order = finding.evidence.get("order", "")
    for call in statement.calls():
        if _name(call) in ("view", "reshape") and isinstance(call.func, ast.Attribute) and call.args and order:
            inner = call.func.value
            if not (isinstance(inner, ast.Name) and inner.id == "torch"):
                return statement.edited((call, f"{statement.text(inner)}.permute({order})"))
    return None


def _reattached(statement: Statement, finding: Finding) -> str | None:
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
    return _without("detach")(statement, finding) if finding.evidence.get("cut") == "detach" else None


def _stepped(statement: Statement, finding: Finding) -> str | None:
    """`p = p - change` writes into `p`; a backward pass is followed by a step of the only optimizer."""
    node = statement.node
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp) and len(node.targets) == 1:
        target, name = node.targets[0], statement.text(node.targets[0])
        sign = {ast.Sub: "-", ast.Add: "+"}.get(type(node.value.op))
        if isinstance(target, ast.Name) and sign and statement.text(node.value.left) == name:
            return f"{statement.indent}{name} {sign}= {statement.text(node.value.right)}"
        return None
    assigned = [node for node in ast.walk(statement.tree) if isinstance(node, ast.Assign)]
    made = [assign for assign in assigned if _makes_optimizer(statement.text(assign.value))]
    names = {statement.text(target) for assign in made for target in assign.targets}
    if len(names) == 1 and any(_name(call) == "backward" for call in statement.calls()):
        return f"{statement.edited()}\n{statement.indent}{names.pop()}.step()"
    return None


def _makes_optimizer(text: str) -> bool:
    return bool(re.match(r"(torch\.)?optim\.[A-Z]\w*\(", text))


def _cloned(statement: Statement, finding: Finding) -> str | None:
    """What is expanded gets memory of its own."""
    call = next((call for call in statement.calls() if _name(call) in ("expand", "expand_as", "broadcast_to")), None)
    return statement.edited((call, f"{statement.text(call)}.clone()")) if call is not None else None


_CORRECTIONS: dict[str, Correct] = {
    "LOS001": _without("softmax"),
    "LOS002": _without("sigmoid"),
    "LOS003": _without("relu", "sigmoid", "tanh", "softmax"),
    "LOS006": _swap_arguments,
    "SHP001": _same_shape,
    "SHP003": _same_shape,
    "SHP005": _cloned,
    "SHP008": _permuted,
    "WIR001": _clear_before,
    "WIR006": _reattached,
    "WIR008": _stepped,
    "MOD001": _mode_before("train"),
    "MOD002": _mode_before("eval"),
    "OPT001": _rate_times(0.1),
    "OPT002": _rate_times(10.0),
    "EVA001": _copied_state,
    "EVA002": _number_kept,
    "INI001": _drawn_at_random,
    "INI002": _drawn_at_random,
}
