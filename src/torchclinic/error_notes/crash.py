"""A crash as plain data: what was raised where, what it means, what to change. Holds no tensor."""

import os
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from torchclinic.error_notes.kind import Explanation, Kind, KindModule, kinds
from torchclinic.error_notes.recorder import Recorder
from torchclinic.error_notes.scene import Scene, scene_of
from torchclinic.report.model import Finding, Value
from torchclinic.script.lines import Line, short_name

HEAD = "torchclinic explains:"
WIDTH = 100
MOST_LINES = 25
MOST_MESSAGE = 2_000  # characters of an error's message that are kept
UNKNOWN = Kind("ERR000", "unexplained", "An error that no kind explains.", ())


@dataclass(frozen=True, slots=True)
class SeenTensor:
    name: str
    shape: tuple[int, ...] | None
    dtype: str
    device: str
    strides: tuple[int, ...] | None
    made: str = ""  # line and text of the statement that made it

    def __str__(self) -> str:
        strides = "" if self.strides is None else f", strides {self.strides}"
        place = "" if self.device == "cpu" else f", {self.device}"
        return f"shape {self.shape or ('?' if self.shape is None else '()')}{strides}, {self.dtype}{place}"

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("name", "shape", "dtype", "device", "strides", "made")}


@dataclass(frozen=True, slots=True)
class Crash:
    """An error that was raised, with its explanation where its kind is known."""

    type: str
    message: str
    kind: Kind = UNKNOWN
    explanation: Explanation | None = None
    frames: tuple[tuple[Line, str], ...] = ()  # of the user's code, innermost last: line and function
    tensors: tuple[SeenTensor, ...] = ()
    where: str = ""  # the layer, as the user's code names it
    layer: str = ""  # that layer and its sizes

    @property
    def line(self) -> Line | None:
        return self.frames[-1][0] if self.frames else None

    def finding(self, step: int | None = None) -> Finding:
        """As a rule's finding: an error, at the line that failed."""
        known = self.explanation
        line = "" if self.line is None else _place(self.line)
        culprit = None if known is None else known.culprit
        edit = None if known is None else known.edit
        evidence: dict[str, Value] = {"error": self.type, "message": _first_line(self.message)}
        evidence |= {tensor.name: str(tensor) for tensor in self.tensors}
        evidence |= {"layer": self.layer} if self.layer else {}
        message = known.cause if known is not None else f"The script raised {sentence(f'{self.type}: {_first_line(self.message)}')}"
        return Finding(
            self.kind.code,
            self.kind.name,
            "error",
            message,
            where=self.where,
            line=line,
            step=step,
            evidence=evidence,
            fix="" if known is None else known.fix,
            rank=1,
            corrected="" if edit is None else edit.new,
            cause_line=_place(edit.line) if edit is not None else _place(culprit) if culprit is not None else "",
            fix_checked=edit is not None,
        )

    def to_dict(self) -> dict[str, Any]:
        known = self.explanation
        edit = None if known is None else known.edit
        culprit = None if known is None else known.culprit
        return {
            "type": self.type,
            "message": self.message[:MOST_MESSAGE],
            "code": self.kind.code,
            "name": self.kind.name,
            "frames": [{"line": _place(line), "function": function, "text": line.text} for line, function in self.frames],
            "line": "" if self.line is None else _place(self.line),
            "cause_line": "" if culprit is None else _place(culprit),
            "tensors": [tensor.to_dict() for tensor in self.tensors],
            "layer": self.layer,
            "cause": "" if known is None else known.cause,
            "fix": "" if known is None else known.fix,
            "edit": None if edit is None else {**edit.to_dict(), "file": short_name(edit.file)},
            "fix_checked": edit is not None,
        }

    def text(self) -> str:
        """The explanation in at most 25 lines of 100 columns; empty where the kind is not known."""
        if self.explanation is None:
            return ""
        known = self.explanation
        parts: list[tuple[str, str]] = []
        if self.line is not None:
            parts.append(("line", f"{self.line}: {self.line.text}" if self.line.text else str(self.line)))
        parts += [("tensors", f"{t.name}: {t}{f' (made at {t.made})' if t.made else ''}") for t in self.tensors]
        parts += [("layer", self.layer)] if self.layer else []
        parts.append(("cause", known.cause))
        parts += _culprit(known, self.line)
        parts.append(("fix", known.fix))
        return "\n".join([f"{HEAD} {self.kind.name} ({self.kind.code})", *_lines(parts), *_edit(known)])


def _culprit(known: Explanation, failed: Line | None) -> list[tuple[str, str]]:
    culprit = known.culprit
    if culprit is None or culprit == failed:
        return [("done by", f"not seen: {known.unseen}")] if known.unseen and culprit is None else []
    return [("done by", f"{culprit}: {culprit.text}{f' ({known.note})' if known.note else ''}")]


def _lines(parts: Sequence[tuple[str, str]]) -> list[str]:
    lines, last = [], ""
    for label, text in parts:
        shown = "" if label == last else label
        body = textwrap.wrap(text, WIDTH - 11, break_long_words=False, break_on_hyphens=False) or [""]
        most = 2 if label in ("line", "tensors", "layer", "done by") else 5
        if len(body) > most:
            body = [*body[: most - 1], body[most - 1] + " …"]
        lines += [f"  {shown:<8} {body[0]}", *(f"{'':<11}{line}" for line in body[1:])]
        last = label
    return lines


def _edit(known: Explanation) -> list[str]:
    if known.edit is None:
        return []
    edit = known.edit
    old, new = edit.old.splitlines(), edit.new.splitlines()
    if len(old) + len(new) > 6:
        return [f"  edit     {edit.line} (the HTML and JSON reports hold it; the operation then passes)"]
    return [
        f"  edit     {edit.line} (checked: the operation then passes)",
        *(f"    - {t}" for t in old),
        *(f"    + {t}" for t in new),
    ]


def crash_of(error: BaseException, past: Recorder | None = None) -> Crash:
    """A caught error, explained where its kind is known."""
    return explained(scene_of(error, past))


def explained(scene: Scene) -> Crash:
    """Of the kinds that match the message, the first whose `explain` gives an answer."""
    crash = Crash(scene.kind, scene.message, frames=tuple((frame.line, frame.function) for frame in scene.frames))
    message = scene.message[: MOST_MESSAGE * 10]
    for module in kinds():
        match = module.KIND.match(scene.kind, message)
        if match is None:
            continue
        scene.match = match
        explanation = _asked(module, scene)
        if explanation is not None:
            explanation = replace(explanation, cause=sentence(explanation.cause), fix=sentence(explanation.fix))
            layer = f"{scene.layer_name} = {_one_line(str(scene.layer))}" if scene.layer is not None else ""
            where = scene.layer_name if scene.layer is not None else ""
            return replace(crash, kind=module.KIND, explanation=explanation, tensors=_tensors(scene), where=where, layer=layer)
    return replace(crash, tensors=_tensors(scene))


def _asked(module: KindModule, scene: Scene) -> Explanation | None:
    try:
        return module.explain(scene)
    except Exception:
        if os.environ.get("TORCHCLINIC_STRICT"):
            raise
        return None


def _tensors(scene: Scene) -> tuple[SeenTensor, ...]:
    seen = []
    for operand in scene.operands[:4]:
        birth = scene.birth(operand.node)
        made = str(birth) if birth is not None and birth.line != scene.line else ""
        seen.append(_seen(operand.name, operand.tensor, made))
    return tuple(seen)


def _seen(name: str, tensor: Tensor, made: str) -> SeenTensor:
    dtype, device = str(tensor.dtype).removeprefix("torch."), str(tensor.device)
    try:
        return SeenTensor(name, tuple(tensor.shape), dtype, device, tuple(tensor.stride()), made)
    except RuntimeError:  # sparse and nested tensors have no strides
        return SeenTensor(name, None, dtype, device, None, made)


def sentence(text: str) -> str:
    """With one full stop at its end."""
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")[:300]


def _one_line(text: str) -> str:
    return text if "\n" not in text else f"{text.split('(')[0]}(…)"


def _place(line: Line) -> str:
    return f"{short_name(line.file)}:{line.number}"
