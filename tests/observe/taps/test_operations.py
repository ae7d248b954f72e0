"""However a script calls a function, by place or by name, the observation goes on."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from observer_fixtures import observe, records_of
from torchclinic.observe.records import ClampedError, LossCall

CALLS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mul": lambda p, y: torch.mul(p, other=y),
    "mul, both": lambda p, y: torch.mul(input=p, other=y),
    "div": lambda p, y: torch.div(input=p, other=y.abs() + 1),
    "gather": lambda p, y: torch.gather(input=p.log_softmax(1), dim=1, index=y.long().abs() % 2),
    "clamp": lambda p, y: torch.clamp(input=p, min=-1.0, max=1.0),
    "where": lambda p, y: torch.where(y > 0, input=p, other=y),
    "sub": lambda p, y: torch.sub(input=p, other=y),
    "one sample, squeezed": lambda p, y: F.binary_cross_entropy_with_logits(p[0, 0], y[0, 0].abs().clamp(max=1)),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_by_name_does_not_end_the_observation(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")  # an error of ours would be raised here
    torch.manual_seed(0)
    model, x, y = nn.Linear(4, 2), torch.randn(8, 4), torch.randn(8, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)

    def run() -> None:
        for _ in range(3):
            optimizer.zero_grad()
            CALLS[name](model(x), y).mean().backward()
            optimizer.step()

    session, _ = observe(run)
    assert session.state.clock.observed_steps == 3


def test_a_loss_by_hand_is_read_the_same_by_place_and_by_name() -> None:
    x, y = torch.randn(8, 4), torch.randn(8, 2)

    def seen(difference: Callable[[Tensor, Tensor], Tensor]) -> list[tuple[str, float]]:
        torch.manual_seed(0)
        model = nn.Linear(4, 2)

        def run() -> None:
            difference(model(x), y).pow(2).mean().backward()

        return [(call.function, call.target.maximum) for call in records_of(observe(run)[0], LossCall)]

    by_place = seen(lambda p, t: p - t)
    assert [function for function, _ in by_place] == ["mse_loss"]
    assert by_place == seen(lambda p, t: torch.sub(input=p, other=t))


def test_an_error_that_is_clamped_by_name_is_seen() -> None:
    torch.manual_seed(0)
    model, x, y = nn.Linear(4, 2), torch.randn(8, 4), 10 * torch.randn(8, 2)

    def run() -> None:
        torch.clamp(input=model(x) - y, min=-1.0, max=1.0).pow(2).mean().backward()

    [clamped] = records_of(observe(run)[0], ClampedError)
    assert (clamped.low, clamped.high) == (-1.0, 1.0)
