"""What a reader is handed: a figure, a report, a result that has one. Each shows itself, in a terminal and in a notebook."""

from typing import Any

from torchclinic.report.model import PlainFigure, PlainReport


class Figure(PlainFigure):
    __doc__ = PlainFigure.__doc__
    __slots__ = ()

    def __str__(self) -> str:
        from torchclinic.report.text import figure_text

        return figure_text(self)

    def _repr_html_(self) -> str:
        from torchclinic.report.html import figure_fragment

        return figure_fragment(self)


class Report(PlainReport):
    __doc__ = PlainReport.__doc__
    __slots__ = ()

    def __str__(self) -> str:
        from torchclinic.report.text import report_text

        return report_text(self)

    def _repr_html_(self) -> str:
        from torchclinic.report.html import report_fragment

        return report_fragment(self)


class Reported:
    """A result that shows itself as its report."""

    __slots__ = ()

    def report(self) -> Report:
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        return self.report().to_dict()

    def __str__(self) -> str:
        return str(self.report())

    def _repr_html_(self) -> str:
        return self.report()._repr_html_()
