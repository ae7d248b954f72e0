"""Lab 2: every claim holds, and claims fail when the rule they rest on is wrong."""

import pytest
import torch

from torchclinic.labs import catalogue
from torchclinic.labs.lab import Options
from torchclinic.report.results import Figure
from torchclinic.tensors import views


def run_lab(fast=True):
    return catalogue.run(catalogue.find("tensor-basics"), Options(fast=fast))


def test_every_claim_holds_at_both_sizes_and_there_are_at_least_15():
    for fast in (True, False):
        report = run_lab(fast)
        assert [claim.id for claim in report.claims if not claim.passed] == []
        assert len(report.claims) >= 15


def test_the_folklore_rule_fails_claims(monkeypatch):
    """Predict with "a view needs a contiguous tensor", as it is commonly told."""

    def folklore(shape, stride, target):
        contiguous = torch.empty(shape).stride() == tuple(stride)
        return torch.empty(target).stride() if contiguous else None

    monkeypatch.setattr(views, "view_stride", folklore)
    failed = {claim.id for claim in run_lab().claims if not claim.passed}
    assert "tensor-basics.reshape-narrow" in failed
    assert "tensor-basics.reshape-writes" in failed


def test_figures_fit_a_terminal_and_say_what_they_show():
    figures = [block for section in run_lab().sections for block in section.blocks if isinstance(block, Figure)]
    assert len(figures) >= 3
    for figure in figures:
        assert max(map(len, str(figure).splitlines())) <= 80
        assert figure.description
        assert figure.table.rows


@pytest.mark.parametrize("script", catalogue.find("tensor-basics").scripts)
def test_a_script_is_short_enough_to_read(script):
    assert len(catalogue.script_path(script).read_text(encoding="utf8").splitlines()) <= 150
