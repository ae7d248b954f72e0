"""Whether the ranks of one training hold the same parameters: what is said of two real processes."""

from pathlib import Path
from typing import Any

import pytest

from ranks_fixtures import judged_on_two_ranks
from torchclinic.observe.records import ReplicaComparison
from torchclinic.rules.dst001_diverged_ranks import check, healthy, sick
from torchclinic.rules.rule import Undecided
from torchclinic.rules.specimens import changed

_EXCHANGE = """    for parameter in model.parameters():
        dist.all_reduce(parameter.grad)
        parameter.grad /= 2
"""
_MANUAL = healthy().script
_ALONE = changed(_MANUAL, (_EXCHANGE, ""))
_DDP = changed(_ALONE, ("optimizer = ", "model = nn.parallel.DistributedDataParallel(model)\noptimizer = "))
_METRIC = ("    optimizer.step()\n", "    optimizer.step()\n    dist.all_reduce(torch.ones(1))\n")
_AVERAGE = """    if step % 3 == 2:
        for parameter in model.parameters():
            dist.all_reduce(parameter.data)
            parameter.data /= 2
"""
_LOCAL = changed(
    _DDP,
    ("for _ in range(6)", "for step in range(8)"),
    ("    nn.functional", "    with model.no_sync():\n        nn.functional"),
    _METRIC,
)
_SAMPLED = """
import torch
import torch.distributed as dist
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler

dist.init_process_group("gloo")
torch.manual_seed(0)
data = TensorDataset(torch.randn(64, 4), torch.randint(0, 3, (64,)))
sampler = DistributedSampler(data)
loader = DataLoader(data, batch_size=8, sampler=sampler)
model = nn.Linear(4, 3)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for epoch in range(2):
    sampler.set_epoch(epoch)
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    dist.all_reduce(torch.ones(1))
END
dist.destroy_process_group()
"""
_TOGETHER = "for parameter in model.parameters():\n    dist.all_reduce(parameter.data)\n    parameter.data /= 2\n"
_STAGES = """
import torch
import torch.distributed as dist
from torch import nn

dist.init_process_group("gloo")
rank = dist.get_rank()
torch.manual_seed(rank)
model = nn.Linear(4, 4)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for _ in range(5):
    optimizer.zero_grad()
    if rank == 0:
        middle = model(torch.randn(8, 4))
        dist.send(middle.detach(), 1)
        back = torch.empty_like(middle)
        dist.recv(back, 1)
        middle.backward(back)
    else:
        middle = torch.empty(8, 4)
        dist.recv(middle, 0)
        middle.requires_grad_()
        nn.functional.cross_entropy(model(middle), torch.randint(0, 4, (8,))).backward()
        dist.send(middle.grad, 0)
    optimizer.step()
dist.destroy_process_group()
"""
_SICK = {
    "started_apart": sick().script,
    "other_rate": changed(_MANUAL, ("lr=0.05", "lr=0.05 * (1 + rank)")),
    "restarted_under_ddp": changed(_DDP, ("for _ in", "if rank:\n    nn.init.normal_(model.module[0].weight)\nfor _ in")),
    "bypassed": changed(_DDP, ("cross_entropy(model(x)", "cross_entropy(model.module(x)")),
    "never_synchronized": _SAMPLED.replace("END\n", ""),
}
_HEALTHY = {
    "manual": _MANUAL,
    "ddp": _DDP,
    "averaged_at_the_end": _SAMPLED.replace("END\n", _TOGETHER),
    "local_steps": _LOCAL.replace("    dist.all_reduce(torch.ones(1))\n", _AVERAGE + "    dist.all_reduce(torch.ones(1))\n"),
    "adam_clipped": changed(
        _MANUAL,
        ("SGD(", "Adam("),
        ("    optimizer.step()", "    nn.utils.clip_grad_norm_(model.parameters(), 0.1)\n    optimizer.step()"),
    ),
}
_HEALTHY["other_models"] = changed(_ALONE, ("8", "(8 + rank)"))
_FUNCTION = changed(_SAMPLED.rpartition("dist.")[0], ("END\n", _TOGETHER)).strip()
_FUNCTION = "def train():\n    " + _FUNCTION.replace("\n", "\n    ") + "\n\n\ntrain()\n"
_IGNORED = """ignore = nn.parallel.DistributedDataParallel._set_params_and_buffers_to_ignore_for_model
ignore(model, ["2.weight", "2.bias"])
"""
_UNDECIDED = {
    "averaged_in_a_function": _FUNCTION,
    "same_gradient_by_itself": changed(
        _ALONE,
        ("manual_seed(1 + rank)", "manual_seed(1)"),
        ("nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))", "nn.Linear(4, 3)"),
        ("nn.functional.cross_entropy(model(x), y)", "(model(x) * x[:, :3]).sum()"),
        ("lr=0.05", "lr=0.05 * (1 + rank)"),
    ),
    "alone": _ALONE,
    "sweep": changed(_ALONE, ("manual_seed(1 + rank)", "manual_seed(1)"), ("lr=0.05", "lr=0.05 * (1 + rank)"), _METRIC),
    "part_left_out": changed(_MANUAL, ("in model.parameters():", "in model[0].parameters():")),
    "stages_alike": _STAGES,
    "experts": changed(_DDP, ("nn.Linear(8, 3))\n", "nn.Linear(8, 3))\n" + _IGNORED)),
}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    folder: Path = tmp_path_factory.mktemp("ranks")
    return judged_on_two_ranks(folder, _SICK | _HEALTHY | _UNDECIDED)


@pytest.mark.parametrize("name", _SICK)
def test_ranks_that_are_to_be_equal_and_are_not_are_reported(judged: dict[str, list[Any]], name: str) -> None:
    note, found, _, _ = judged[name]
    assert note == ""
    assert "DST001" in [code for code, *_ in found]


def test_the_first_look_that_differs_is_named(judged: dict[str, list[Any]]) -> None:
    steps = {name: next(step for code, _, step, _ in judged[name][1] if code == "DST001") for name in _SICK}
    assert steps == dict.fromkeys(_SICK, 1) | {"started_apart": 0, "restarted_under_ddp": 0}


def test_a_bypassed_wrapper_is_the_cause_of_the_divergence(judged: dict[str, list[Any]]) -> None:
    _, found, _, _ = judged["bypassed"]
    assert [(code, causes) for code, _, _, causes in found] == [("DST004", []), ("DST001", ["DST004"])]


@pytest.mark.parametrize("name", _HEALTHY)
def test_ranks_kept_equal_are_found_fine(judged: dict[str, list[Any]], name: str) -> None:
    note, found, reasons, fine = judged[name]
    assert (note, found, reasons) == ("", [], {})
    assert "DST001" in fine


@pytest.mark.parametrize("name", _UNDECIDED)
def test_differences_that_may_be_meant_are_left_undecided(judged: dict[str, list[Any]], name: str) -> None:
    note, found, reasons, _ = judged[name]
    assert (note, found) == ("", [])
    assert "differ" in reasons["DST001"]


def test_ranks_that_cannot_be_compared_are_undecided() -> None:
    with pytest.raises(Undecided, match="1 of 2 ranks"):
        list(check(ReplicaComparison(replicas=2, missing=1)))
