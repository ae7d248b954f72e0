"""The exact checks on the first steps of a training, without keeping them: `tc.checkup`, and when a checkup ends."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from torchclinic.diagnosis.diagnose import diagnose
from torchclinic.error_notes import explain_errors
from torchclinic.instruments.arguments import copied
from torchclinic.instruments.guard import untouched
from torchclinic.instruments.propagation import split_batch
from torchclinic.observe.session import Session
from torchclinic.report.results import Report

STEPS = 12
MOST_STEPS = 60
MOST_SECONDS = 3.0
TRIAL_STEPS = 4  # two decide on gradients and updates, the others on what starts at zero


class FirstSteps:
    """Stops a script after `STEPS` steps, or a little later if an evaluation may still come."""

    def __init__(self) -> None:
        self._first = 0.0

    def __call__(self, session: Session) -> bool:
        now = time.monotonic()
        self._first = self._first or now
        if session.step < STEPS:
            return now - self._first > 4 * MOST_SECONDS
        return bool(session.state.clock.evaluations) or session.step >= MOST_STEPS or now - self._first > MOST_SECONDS


def checkup(model: nn.Module, batch: Any, loss_fn: Callable[..., Tensor], optimizer: torch.optim.Optimizer | None = None) -> Report:
    """Train `model` for four steps on `batch` under observation, judge them, and restore everything bit for bit.

    `batch` is (inputs, targets); `loss_fn(output, targets)` gives the loss. Without an optimizer, plain gradient descent
    with a rate of 1e-3 is used. The model is left as it was, on exceptions too: parameters, buffers, gradients, modes,
    the optimizer's state, and the random streams.

    Raises:
        InputError: a lazy module has not been run yet.
    """
    args, kwargs, targets = copied(split_batch(model, batch, with_targets=True))
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    given = optimizer if optimizer is not None else torch.optim.SGD(trainable, lr=1e-3)
    with explain_errors(watch=False), untouched(model, optimizer=optimizer), Session(budget=1.0) as session:
        for _ in range(TRIAL_STEPS):
            given.zero_grad()
            output = model(*args, **kwargs)
            loss = loss_fn(output) if targets is None else loss_fn(output, targets)
            loss.backward()
            given.step()
        found = diagnose(session)
    return found.report(f"Checkup of {type(model).__name__}")
