"""What every explanation is: numbers, and the same numbers as text, as HTML and as a dictionary."""

from typing import Any

from torchclinic.report.model import Section
from torchclinic.report.results import Report


class Explanation:
    """A result that explains itself: printing it and showing it in a notebook draw its `section()`."""

    def section(self) -> Section:
        raise NotImplementedError

    def report(self) -> Report:
        """The same as a report, for a file."""
        section = self.section()
        return Report(section.title, (section,), data=self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        raise NotImplementedError

    def __str__(self) -> str:
        from torchclinic.report.text import section_text  # rendering is loaded when something is shown

        return section_text(self.section())

    def _repr_html_(self) -> str:
        from torchclinic.report.html import section_fragment

        return section_fragment(self.section())


def call_text(name: str, values: tuple[int, ...]) -> str:
    """('view', (2, 3)) -> 'view(2, 3)'."""
    return f"{name}({', '.join(map(str, values))})" if values else f"{name}(())"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
