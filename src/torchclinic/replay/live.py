"""`tc.prove`: the replays on live objects, from a snapshot that is put back."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from torchclinic._version import __version__
from torchclinic.errors import InputError
from torchclinic.instruments.guard import untouched
from torchclinic.instruments.propagation import split_batch
from torchclinic.replay.bench import Bench
from torchclinic.replay.change import changes, make, remedies
from torchclinic.replay.planning import Attempt, choose_attempts
from torchclinic.replay.reporting import proof_section, proofs_data
from torchclinic.replay.scripts import Proofs
from torchclinic.replay.trial import Trial
from torchclinic.replay.verdicts import LEAST_SEEDS, QUANTILES, weigh
from torchclinic.report.model import Finding, NotChecked
from torchclinic.report.results import Report
from torchclinic.running.checkup import checkup

MOST_SEEDS = max(QUANTILES) + 1
Optimizer = torch.optim.Optimizer


def prove(
    model: nn.Module,
    batches: Iterable[Any],
    loss_fn: Callable[..., Tensor],
    optimizer: Optimizer | Callable[[Iterator[nn.Parameter]], Optimizer],
    findings: Sequence[Finding | str] | None = None,
    steps: int = 50,
    seeds: int = 5,
) -> Report:
    """Train `model` for `steps` as it is and with each remedy, at several seeds, and say which remedy helps.

    `batches` are (inputs, targets); the first `steps` of them are taken, and used in another order at each seed.
    `loss_fn(output, targets)` gives the loss. `optimizer` is the one in use, or a function of the parameters that makes one
    for each replay. `findings` are findings, codes of findings ("LOS001"), or names of changes ("logits"); without them
    the findings of a `checkup`. In each step gradients are cleared first: a fault of the loop itself is replayed by
    `torchclinic run --prove`. The verdicts are in the section "Proof by replay" and in `.data["proofs"]`.

    The model is left as it was, on exceptions too: parameters, buffers, gradients, modes, the optimizer, random streams.

    Raises:
        InputError: no batch, a code without a remedy, too few steps or seeds, or a lazy module.
    """
    _require(steps, seeds)
    with untouched(model, optimizer=optimizer if isinstance(optimizer, Optimizer) else None):
        taken = list(islice(batches, steps))
    if not taken:
        raise InputError("There is no batch in `batches`; give at least one (inputs, targets).")
    given = optimizer if isinstance(optimizer, Optimizer) else None
    checked = None if findings is not None else checkup(model, taken[0], loss_fn, given)
    known = [item for item in findings or () if isinstance(item, Finding)] if checked is None else checked.findings
    attempts, left_out = _attempts(findings) if findings is not None else choose_attempts(known)
    start = time.monotonic()
    names = ["", *(attempt.change.name for attempt in attempts)] if attempts else []
    trials: dict[str, dict[int, Trial]] = {name: {} for name in names}
    for seed in range(seeds):
        for name in names:
            trials[name][seed] = _replay(model, taken, loss_fn, optimizer, name, seed, steps)
    proofs = tuple(weigh(a.code, a.change, trials[""], trials[a.change.name]) for a in attempts)
    took = time.monotonic() - start
    found = Proofs(proofs, seeds * len(names), seeds, steps, steps, took, tuple(left_out))
    return _report(type(model).__name__, found, known, checked)


def _report(name: str, found: Proofs, known: Sequence[Finding], checked: Report | None) -> Report:
    """`checked` is the checkup that gave the findings; None where they were given."""
    confirmed = [proof for proof in found.proofs if proof.verdict == "confirmed"]
    return Report(
        f"Proof for {name}",
        (proof_section(found),),
        tuple(known),
        () if checked is None else checked.checked,
        (NotChecked("RUN", "the findings were given; no rule was asked"),) if checked is None else checked.not_checked,
        summary=f"{len(confirmed)} of {len(found.proofs)} changes confirmed.",
        data=proofs_data(found),
        environment={"torchclinic": __version__, "torch": str(torch.__version__)},
    )


def _require(steps: int, seeds: int) -> None:
    if steps < 20:
        raise InputError(f"{steps} steps are too few to compare; `steps` must be at least 20.")
    if not LEAST_SEEDS <= seeds <= MOST_SEEDS:
        raise InputError(f"{seeds} seeds were asked for; `seeds` must be from {LEAST_SEEDS} to {MOST_SEEDS}.")


def _attempts(findings: Sequence[Finding | str]) -> tuple[list[Attempt], list[str]]:
    chosen: dict[type, Attempt] = {}
    for item in findings:
        code = item.code if isinstance(item, Finding) else item
        kinds = [changes()[code]] if code in changes() else remedies(code)
        if not kinds and isinstance(item, str):
            raise InputError(f"There is no remedy for {item!r} and no change of that name; the changes are {_named()}.")
        for kind in kinds:
            chosen.setdefault(kind, Attempt("" if code in changes() else code, kind))
    return list(chosen.values()), []


def _named() -> str:
    return ", ".join(name for name, kind in changes().items() if not kind.sham)


def _replay(
    model: nn.Module,
    batches: Sequence[Any],
    loss_fn: Callable[..., Tensor],
    optimizer: Optimizer | Callable[[Iterator[nn.Parameter]], Optimizer],
    change: str,
    seed: int,
    steps: int,
) -> Trial:
    given = optimizer if isinstance(optimizer, Optimizer) else None
    with untouched(model, optimizer=given):
        torch.manual_seed(seed)
        order = torch.randperm(len(batches)).tolist()
        bench = Bench(make(change))
        with bench:
            used = given if given is not None else optimizer(model.parameters())  # type: ignore[operator]
            bench.adopt(used)
            for step in range(steps):
                args, kwargs, targets = split_batch(model, batches[order[step % len(order)]], with_targets=True)
                used.zero_grad()
                output = model(*args, **kwargs)
                loss = loss_fn(output) if targets is None else loss_fn(output, targets)
                loss.backward()
                used.step()
    bench.trial.change, bench.trial.seed = change, seed
    return bench.trial
