"""A piece of training, run plainly and under observation from the same random numbers."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from torchclinic.observe.collecting import collect
from torchclinic.observe.session import Session


def observe(run: Callable[[], Any], **options: Any) -> tuple[Session, Any]:
    """The session that watched `run`, every step in full, and what `run` returned."""
    session = Session(budget=1.0, **options)
    session.schedule.every_step = True
    with session:
        result = run()
    assert session.state.limits == []
    return session, result


def records_of(session: Session, kind: Any) -> list[Any]:
    """The records of one kind that are known so far."""
    return collect(session).of(kind)


def seeded(run: Callable[[], Any]) -> tuple[Any, list[Any]]:
    """What `run` returns, and the random streams it leaves, from fixed seeds."""
    torch.manual_seed(7), random.seed(7), np.random.seed(7)
    result = run()
    return result, [torch.get_rng_state(), random.getstate(), np.random.get_state()[1]]


def bits_of(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[Any]:
    """Parameters, gradients, buffers, modes and the optimizer's state."""
    state = optimizer.state_dict()
    return [
        model.state_dict(),
        [parameter.grad for parameter in model.parameters()],
        [module.training for module in model.modules()],
        state,
    ]


def assert_same_bits(a: Any, b: Any) -> None:
    if isinstance(a, Tensor):
        assert a.dtype == b.dtype
        assert torch.equal(a.nan_to_num(), b.nan_to_num())
    elif isinstance(a, np.ndarray):
        assert np.array_equal(a, b)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        assert_same_bits(list(a.values()), list(b.values()))
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_same_bits(one, other)
    else:
        assert a == b


def assert_no_trace(run: Callable[[], Any]) -> None:
    """`run` returns the same bits, and leaves the same random streams, with an observation as without."""
    plain = seeded(run)
    observed = seeded(lambda: observe(run)[1])
    assert_same_bits(plain, observed)
