"""Two sets of named tensors: what is missing, unexpected or reshaped, and which renames would make them fit."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torchclinic.report.model import Finding, Prose, Section, Table
from torchclinic.report.results import Report, Reported

MOST_RULES = 50
Form = tuple[tuple[int, ...], str]  # shape and dtype


@dataclass(frozen=True, slots=True)
class Comparison(Reported):
    """How the tensors of `left` (a checkpoint) fit those of `right` (another one, or a model)."""

    left: str
    right: str
    same: tuple[str, ...]  # name and shape agree
    missing: tuple[str, ...]  # in right, not in left
    unexpected: tuple[str, ...]  # in left, not in right
    reshaped: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
    retyped: Mapping[str, tuple[str, str]]
    renames: Mapping[str, str]  # name in left → the name in right it would fit
    rules: tuple[str, ...]  # the same renames as sentences: prefixes, single names

    @property
    def fits(self) -> bool:
        """Whether a strict load would succeed."""
        return not (self.missing or self.unexpected or self.reshaped)

    def report(self) -> Report:
        rows = [(name, "missing", "", "") for name in self.missing]
        rows += [(name, "unexpected", "", self.renames.get(name, "")) for name in self.unexpected]
        rows += [(name, "reshaped", f"{_size(a)} → {_size(b)}", "") for name, (a, b) in self.reshaped.items()]
        rows += [(name, "another dtype", f"{a} → {b}", "") for name, (a, b) in self.retyped.items()]
        table = Table(("tensor", "what", "change", "proposed name"), tuple(rows))
        rules = (Prose("\n\n".join(self.rules)),) if self.rules else ()
        return Report(
            title=f"{self.left} against {self.right}",
            summary=f"{len(self.same)} tensors agree, {len(self.missing)} are missing, "
            f"{len(self.unexpected)} unexpected, {len(self.reshaped)} have another shape.",
            sections=(Section("What differs", (*rules, *((table,) if rows else ()))),),
            findings=tuple(self._findings()),
            checked=(f"{len(self.same)} tensors agree in name and shape",) if self.same else (),
            data={
                "missing": list(self.missing),
                "unexpected": list(self.unexpected),
                "reshaped": {name: [list(a), list(b)] for name, (a, b) in self.reshaped.items()},
                "retyped": {name: list(pair) for name, pair in self.retyped.items()},
                "renames": dict(self.renames),
                "same": len(self.same),
            },
        )

    def _findings(self) -> Iterator[Finding]:
        if not self.fits:
            message = (
                f"{len(self.missing)} names are missing, {len(self.unexpected)} unexpected and "
                f"{len(self.reshaped)} have another shape: a strict load fails."
            )
            yield Finding("INI007", "weights-not-loaded", "error", message, fix=" ".join(self.rules[:3]))
        heads = [name for name, (a, b) in self.reshaped.items() if a[1:] == b[1:] and len(a) == len(b)]
        if heads:
            a, b = self.reshaped[heads[0]]
            message = f"{heads[0]} differs in its first size only ({a[0]} → {b[0]}): another number of classes."
            fix = f"tc.replace_head(model, {a[0]}) before loading, or train these anew: {', '.join(heads)}."
            yield Finding("CKP008", "other-head", "info", message, where=heads[0], fix=fix)


def forms_of(tensors: Mapping[str, Any]) -> dict[str, Form]:
    """Shape and dtype by name, of an inspected checkpoint's tensors or of a model's state dict."""
    return {name: (tuple(t.shape), str(t.dtype).removeprefix("torch.")) for name, t in tensors.items()}


def compare(left: Mapping[str, Form], right: Mapping[str, Form], *, names: tuple[str, str]) -> Comparison:
    """Compare by name; then propose renames for what is left over, by prefixes and by shapes that occur once."""
    shared = [name for name in left if name in right]
    missing = {name: right[name] for name in right if name not in left}
    unexpected = {name: left[name] for name in left if name not in right}
    renames, rules = _propose(unexpected, missing)
    return Comparison(
        left=names[0],
        right=names[1],
        same=tuple(name for name in shared if left[name][0] == right[name][0]),
        missing=tuple(missing),
        unexpected=tuple(unexpected),
        reshaped={name: (left[name][0], right[name][0]) for name in shared if left[name][0] != right[name][0]},
        retyped={name: (left[name][1], right[name][1]) for name in shared if left[name][1] != right[name][1]},
        renames=renames,
        rules=tuple(rules),
    )


def _propose(unexpected: Mapping[str, Form], missing: Mapping[str, Form]) -> tuple[dict[str, str], list[str]]:
    """Renames that make shapes fit: first the prefix exchanges that explain most names, then unique shapes."""
    renames: dict[str, str] = {}
    rules = []
    left, right = dict(unexpected), dict(missing)
    for _ in range(MOST_RULES):
        taken = set(renames.values())
        left = {name: form for name, form in unexpected.items() if name not in renames}
        right = {name: form for name, form in missing.items() if name not in taken}
        counts = Counter(_exchanges(left, right))
        if not counts:
            break
        # Of exchanges that explain as many names, the one that changes least.
        old, new = max(counts, key=lambda pair: (counts[pair], -len(pair[0]) - len(pair[1])))
        fitting = {name: new + name[len(old) :] for name in left if name.startswith(old)}
        fitting = {a: b for a, b in fitting.items() if b in right and right[b][0] == left[a][0]}
        renames |= fitting
        rules.append(_sentence(old, new, len(fitting)))
    left = {name: form for name, form in left.items() if name not in renames}
    right = {name: form for name, form in right.items() if name not in set(renames.values())}
    for name, other in _unique_shapes(left, right):
        renames[name] = other
        rules.append(f"Rename {name} to {other}: the only two left of their shape.")
    return renames, rules


def _exchanges(left: Mapping[str, Form], right: Mapping[str, Form]) -> Iterator[tuple[str, str]]:
    """Every exchange of one prefix for another (either may be empty) that turns a name into a fitting one."""
    by_end: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    for name, (shape, _) in right.items():
        for end in _ends(name):
            by_end.setdefault((end, shape), []).append(name)
    for name, (shape, _) in left.items():
        longest = next((end for end in _ends(name) if (end, shape) in by_end), None)
        if longest is not None:
            for other in by_end[longest, shape][:8]:
                old, new = name[: len(name) - len(longest)], other[: len(other) - len(longest)]
                yield old, new


def _ends(name: str) -> Iterator[str]:
    """The name, then without its first part, and so on; at most 16, and never the last part (weight, bias) alone."""
    parts = name.split(".")
    for start in range(min(len(parts) - 1, 16)):
        yield ".".join(parts[start:])
    if len(parts) == 1:
        yield name


def _unique_shapes(left: Mapping[str, Form], right: Mapping[str, Form]) -> Iterator[tuple[str, str]]:
    shapes_left, shapes_right = Counter(f[0] for f in left.values()), Counter(f[0] for f in right.values())
    places = {form[0]: name for name, form in right.items()}
    for name, (shape, _) in left.items():
        if shapes_left[shape] == shapes_right[shape] == 1:
            yield name, places[shape]


def _sentence(old: str, new: str, count: int) -> str:
    if not old:
        return f"Add the prefix {new}: {count} names then fit."
    act = f"Replace the prefix {old} by {new}" if new else f"Remove the prefix {old}"
    return f"{act}: {count} names then fit."


def _size(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) or "scalar"
