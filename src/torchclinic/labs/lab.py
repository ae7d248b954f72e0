"""What a lab script writes into: sections of prose, claims, tables and figures, in the order they are made."""

import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torchclinic.report.model import Block, Claim, Code, NotChecked, Prose, Relation, Section, Steps, Table, Value
from torchclinic.report.results import Figure, Report
from torchclinic.units import format_seconds


@dataclass(frozen=True, slots=True)
class Options:
    """How a lab is run. `fast` shrinks sizes, never claims."""

    fast: bool = False
    seed: int = 0
    data: str = "subset"  # "subset": the embedded 5,000 images; "mnist": the full data set
    data_dir: Path | None = None


class Lab:
    def __init__(
        self,
        name: str,
        title: str,
        options: Options | None = None,
        listen: Callable[[Section | Block], None] | None = None,
    ) -> None:
        self.name = name
        self.title = title
        self.options = options or Options()
        self.fast = self.options.fast
        self.seed = self.options.seed
        self._listen = listen or (lambda _: None)
        self._sections: list[tuple[str, list[Block]]] = []
        self._not_checked: list[NotChecked] = []
        self._data: dict[str, Any] = {}
        self._start = time.perf_counter()

    def section(self, title: str) -> None:
        self._sections.append((title, []))
        self._listen(Section(title))

    def prose(self, text: str) -> None:
        """Text with `code` in backticks; line breaks and indentation of the source do not matter, empty lines do."""
        paragraphs = (" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
        self._add(Prose("\n\n".join(filter(None, paragraphs))))

    def code(self, text: str, caption: str = "") -> None:
        self._add(Code(text, caption))

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Value]], caption: str = "") -> None:
        self._add(Table(tuple(columns), tuple(tuple(row) for row in rows), caption))

    def figure(self, figure: Figure) -> None:
        self._add(figure)

    def blocks(self, blocks: Iterable[Block]) -> None:
        """Blocks of a report made elsewhere, as they are."""
        for block in blocks:
            self._add(block)

    def steps(self, title: str, figures: Iterable[Figure]) -> None:
        """Figures that show one thing changing: stepped through on a page."""
        self._add(Steps(title, tuple(figures)))

    def claim(
        self,
        id: str,
        statement: str,
        *,
        predicted: Value,
        measured: Value,
        relation: Relation = "==",
        tolerance: float = 0.0,
        unit: str = "",
        source: str = "",
        note: str = "",
    ) -> Claim:
        """State something that can be false. The id is completed with the lab's name."""
        assert all(claim.id != f"{self.name}.{id}" for claim in self.report().claims), f"claim {id!r} is stated twice"
        claim = Claim(f"{self.name}.{id}", statement, predicted, measured, relation, tolerance, unit, source, note)
        self._add(claim)
        return claim

    def not_checked(self, code: str, reason: str) -> None:
        self._not_checked.append(NotChecked(code, reason))

    def data(self, **values: Any) -> None:
        """Further top-level keys of the lab's JSON."""
        self._data.update(values)

    def report(self) -> Report:
        sections = tuple(Section(title, tuple(blocks)) for title, blocks in self._sections)
        claims = [block for section in sections for block in section.blocks if isinstance(block, Claim)]
        held = [claim for claim in claims if claim.passed]
        seconds = time.perf_counter() - self._start
        return Report(
            title=self.title,
            sections=sections,
            checked=tuple(claim.id for claim in held),
            not_checked=tuple(self._not_checked),
            summary=f"{len(held)} of {len(claims)} claims hold ({format_seconds(seconds)}).",
            data={"lab": self.name, "seconds": round(seconds, 2), **self._data},
            environment=environment(self.options),
        )

    def _add(self, block: Block) -> None:
        if not self._sections:
            self.section(self.title)
        self._sections[-1][1].append(block)
        self._listen(block)


def environment(options: Options) -> Mapping[str, Value]:
    import torch

    return {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "data": options.data,
        "fast": options.fast,
        "seed": options.seed,
    }
