"""Bytes that the graph of an evaluation holds: known by hand for small networks."""

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from observer_fixtures import records_of
from torchclinic.observe.collectors.memory.graphs import held_by
from torchclinic.observe.records import EvaluationGraph
from torchclinic.observe.session import Session


def test_what_a_graph_holds_is_what_its_operations_have_saved() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3), nn.Sigmoid())
    x = torch.randn(10, 4)
    hidden = 10 * 8 * 4  # the result of the rectifier, also the input of the last layer: one storage
    scores = 10 * 3 * 4  # the result of the sigmoid
    assert held_by([model(x)], [*model.parameters(), x]) == hidden + scores
    assert held_by([model(x)], [*model.parameters()]) == hidden + scores + 10 * 4 * 4


def test_a_graph_that_was_freed_holds_nothing() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh())
    result = model(torch.randn(10, 4))
    result.sum().backward()
    assert held_by([result], list(model.parameters())) == 0


class Checkpointed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.calls = nn.Sequential(nn.Linear(4, 8), nn.ReLU()), 0
        self.last = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        def run(x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            result: torch.Tensor = self.inner(x)
            return result

        result: torch.Tensor = self.last(checkpoint(run, x, use_reentrant=False))
        return result


def test_what_hooks_have_saved_is_not_read() -> None:
    """To read it would run a checkpointed part a second time."""
    model = Checkpointed()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with Session() as session:
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.randn(6, 4)).sum().backward()
            optimizer.step()
        calls = model.calls
        model(torch.randn(6, 4)).argmax(1)
    assert model.calls == calls + 1
    assert list(records_of(session, EvaluationGraph)) == []
