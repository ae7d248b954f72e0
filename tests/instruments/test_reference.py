"""References: what a simple model makes of rows that it was not fitted to."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from torchclinic.instruments.reference import agreement, distinct, ridge_reference, table_reference
from torchclinic.observe.records import Agreement


def kappa(rows: Tensor, labels: Tensor) -> float:
    reference = ridge_reference(rows, one_hot(labels))
    assert reference is not None
    return Agreement(*map(float, agreement(reference.answers.argmax(1), labels[reference.places]))).kappa


def test_classes_that_a_line_or_a_curve_tells_apart_are_told_apart() -> None:
    torch.manual_seed(0)
    rows = torch.randn(600, 2)
    assert kappa(rows, (rows.sum(1) > 0).long()) > 0.9
    assert kappa(rows, (rows[:, 0] * rows[:, 1] > 0).long()) > 0.8


def test_a_target_that_is_linear_is_answered() -> None:
    torch.manual_seed(0)
    rows = torch.randn(200, 5) * torch.tensor([1.0, 100.0, 1e-3, 1.0, 0.0])  # one column says nothing
    wanted = rows[:, :1] + rows[:, 1:2] / 100
    reference = ridge_reference(rows, wanted)
    assert reference is not None
    assert reference.name == "a ridge regression"
    assert float((reference.answers - wanted).square().mean()) < 0.01


@pytest.mark.parametrize("copies", [1, 6])
def test_labels_without_relation_are_not_known_by_heart(copies: int) -> None:
    """Rows that occur several times would be, if copies stood in both halves."""
    torch.manual_seed(0)
    rows, labels = torch.randn(300, 8), torch.randint(0, 3, (300,))
    order = torch.randperm(300 * copies)
    assert abs(kappa(rows.repeat(copies, 1)[order], labels.repeat(copies)[order])) < 0.15


def test_equal_rows_count_once() -> None:
    rows = torch.tensor([[2.0, 1.0], [0.0, 1.0], [2.0, 1.0], [0.0, 1.0], [3.0, 1.0]])
    assert distinct(rows).tolist() == [0, 1, 4]


def test_few_rows_and_numbers_that_are_not_finite_have_no_reference() -> None:
    assert ridge_reference(torch.randn(31, 3), torch.randn(31, 1)) is None
    assert ridge_reference(torch.zeros(500, 3), torch.randn(500, 1)) is None
    rows = torch.randn(100, 3)
    rows[7, 1] = torch.nan
    assert ridge_reference(rows, torch.randn(100, 1)) is None


def test_a_table_answers_what_followed_in_the_other_half() -> None:
    symbols = torch.tensor([0, 1, 2, 0, 1, 0, 1, 2, 3, 0])
    labels = torch.tensor([1, 2, 0, 1, 2, 1, 2, 0, 9, 1])
    assert table_reference(symbols, labels).tolist() == [1, 2, 0, 1, 2, 1, 2, 0, 1, 1]
