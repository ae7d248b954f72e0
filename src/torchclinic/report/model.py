"""What every result is made of, and how it shows itself in a terminal and in a notebook."""

from typing import Any

from torchclinic.report import blocks
from torchclinic.report.blocks import SCHEMA as SCHEMA
from torchclinic.report.blocks import SEVERITIES as SEVERITIES
from torchclinic.report.blocks import Block as Block
from torchclinic.report.blocks import Claim as Claim
from torchclinic.report.blocks import Code as Code
from torchclinic.report.blocks import Finding as Finding
from torchclinic.report.blocks import NotChecked as NotChecked
from torchclinic.report.blocks import Prose as Prose
from torchclinic.report.blocks import Relation as Relation
from torchclinic.report.blocks import Section as Section
from torchclinic.report.blocks import Severity as Severity
from torchclinic.report.blocks import Steps as Steps
from torchclinic.report.blocks import Table as Table
from torchclinic.report.blocks import Value as Value
from torchclinic.report.blocks import worst_severity as worst_severity


class Figure(blocks.Figure):
    __doc__ = blocks.Figure.__doc__
    __slots__ = ()

    def __str__(self) -> str:
        from torchclinic.report.text import figure_text

        return figure_text(self)

    def _repr_html_(self) -> str:
        from torchclinic.report.html import figure_fragment

        return figure_fragment(self)


class Report(blocks.Report):
    __doc__ = blocks.Report.__doc__
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
