"""What `collect` gives stays as it is while the run goes on."""

from dataclasses import FrozenInstanceError, fields, replace

import pytest
import torch
from torch import nn

from torchclinic.observe.collecting import collect
from torchclinic.observe.records import BackwardPass, LabelBatch, LabelStream, LoadRecord, RunRecord, SoftmaxUse
from torchclinic.observe.records.record import frozen
from torchclinic.observe.session import Session


def stream() -> LabelStream:
    return LabelStream("train.py:3", [LabelBatch(0, "train.py:3", 2, (1, 1), (2, 0), (1, 0), False, False)])


def test_a_frozen_record_equals_the_record_and_is_of_its_class() -> None:
    record = stream()
    copy = frozen(record)
    assert isinstance(copy, LabelStream)
    assert copy == record == frozen(record)
    assert repr(copy) == repr(record)
    assert copy != replace(record, steps=1)
    assert type(frozen(copy)) is type(copy)


def test_what_happens_to_a_record_afterwards_does_not_reach_its_frozen_copy() -> None:
    record = stream()
    copy = frozen(record)
    record.steps, record.batches[0].value = 9, 0.5
    record.batches.append(record.batches[0])
    assert copy == stream()


def test_a_frozen_record_refuses_assignment_and_so_do_its_parts() -> None:
    copy = frozen(stream())
    for part in (copy, copy.batches[0]):
        for field in fields(part):
            with pytest.raises(FrozenInstanceError):
                setattr(part, field.name, None)
        with pytest.raises(FrozenInstanceError):
            del part.line


def test_records_of_a_union_come_in_the_order_of_its_members() -> None:
    load, use = LoadRecord("a:1", 0, "M", True, 1, 1, (), (), ""), SoftmaxUse("a:2", "", (2,), 0)
    run = RunRecord([load, use])
    assert run.of(SoftmaxUse | LoadRecord) == [use, load]
    assert run.of(LoadRecord) == [load]


def test_collecting_twice_in_a_run_gives_two_records_that_do_not_change() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    texts, runs = [], []
    with Session(budget=1.0) as session:
        for _ in range(4):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(torch.randn(8, 4)), torch.arange(8) % 3).backward()
            optimizer.step()
            runs.append(collect(session))
            texts.append(repr(runs[-1]))
    assert [len(run.of(BackwardPass)) for run in runs] == [1, 2, 3, 4]
    assert [repr(run) for run in runs] == texts
