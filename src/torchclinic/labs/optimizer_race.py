"""Does Adam converge five times faster?

    torchclinic lab nn-architecture [--data mnist]

Third script of the lab. Every optimizer races at its own best learning rate from one grid, over several seeds.
Sources: Kingma and Ba 2015, arXiv:1412.6980, figure 2; Choi et al. 2019, arXiv:1910.05446 (why the tuning protocol
decides such comparisons).
"""

import itertools
import statistics
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from torchclinic.data import Mnist, load_mnist, normalize
from torchclinic.labs.lab import Lab
from torchclinic.report.model import Value
from torchclinic.training import evaluate

BATCH, DROP = 64, 0.2
WIDTHS = {"subset": (784, 128, 64), "mnist": (784, 256, 128)}  # narrow, because it is trained a hundred times
GRID = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0)  # learning rates, the same for all
TARGETS = {"subset": (0.85, 0.90), "mnist": (0.95, 0.97)}  # test accuracy; 4,000 images do not teach 97 %
LIMIT = {"subset": 120, "mnist": 3000}  # steps after which a run counts as not arrived
EVERY = {"subset": 4, "mnist": 20}  # steps between two looks at the accuracy
LOOKED_AT = 2000  # test images a look is taken on
NEVER = float("inf")
OPTIMIZERS: Mapping[str, Callable[[nn.Module, float], torch.optim.Optimizer]] = {
    "SGD": lambda model, rate: torch.optim.SGD(model.parameters(), lr=rate),
    "SGD+momentum": lambda model, rate: torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9),
    "Adam": lambda model, rate: torch.optim.Adam(model.parameters(), lr=rate),
}


def run(lab: Lab) -> None:
    data = load_mnist("mnist" if lab.options.data == "mnist" else "subset", lab.options.data_dir)
    race(lab, data)


def network(widths: tuple[int, ...], *, norm: bool, dropout: bool) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Flatten()]
    for n_in, n_out in itertools.pairwise(widths):
        layers += [nn.Linear(n_in, n_out)]
        layers += [nn.BatchNorm1d(n_out)] if norm else []
        layers += [nn.ReLU()]
        layers += [nn.Dropout(DROP)] if dropout else []
    return nn.Sequential(*layers, nn.Linear(widths[-1], 10))


def train(
    model: nn.Module, optimizer: torch.optim.Optimizer, data: Mnist, seed: int, steps: int, look: Callable[[int], bool]
) -> None:
    """Plain loop over shuffled epochs; `look(step)` may end it."""
    order = torch.Generator().manual_seed(seed)
    step = 0
    while True:
        for index in torch.randperm(len(data.train_labels), generator=order).split(BATCH):
            loss = F.cross_entropy(model(normalize(data.train_images[index])), data.train_labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            if step >= steps or look(step):
                return


def steps_to(
    targets: tuple[float, ...], name: str, rate: float, data: Mnist, seed: int, *, source: str, limit: int
) -> list[float]:
    """The first step, on a grid of EVERY, at which test accuracy reaches each target; infinity if it never does."""
    torch.manual_seed(seed)
    model = network(WIDTHS[source], norm=True, dropout=True)
    arrived = [NEVER] * len(targets)

    def look(step: int) -> bool:
        if step % EVERY[source] == 0:
            accuracy = evaluate(model, data.test_images[:LOOKED_AT], data.test_labels[:LOOKED_AT]).accuracy
            for i, target in enumerate(targets):
                if accuracy >= target and arrived[i] == NEVER:
                    arrived[i] = step
        return NEVER not in arrived

    train(model, OPTIMIZERS[name](model, rate), data, seed, limit, look)
    return arrived


def race(lab: Lab, data: Mnist) -> None:
    """Tune each optimizer with one seed, then race them with others."""
    lab.section("How much faster is Adam?")
    lab.prose("""The popular figure is "five times". It depends on who chose the learning rates: so each optimizer runs at
        every rate of one grid, and races at its best with seeds that had no say in the choice. A run that does not
        arrive counts as infinitely slow.""")
    targets, limit = TARGETS[lab.options.data], LIMIT[lab.options.data]
    count = partial(steps_to, targets, data=data, source=lab.options.data)
    tuning = {(name, rate): count(name, rate, seed=lab.seed, limit=limit) for name in OPTIMIZERS for rate in GRID}
    best = {name: min(GRID, key=lambda rate: tuning[name, rate][::-1]) for name in OPTIMIZERS}
    columns = ("optimizer", *(f"{rate:g}" for rate in GRID), "best rate")
    rows: list[list[Value]] = [
        [name, *(_shown(tuning[name, rate][-1]) for rate in GRID), best[name]] for name in OPTIMIZERS
    ]
    lab.table(columns, rows, f"Tuning, one seed: steps to {targets[-1]:.0%} test accuracy by learning rate")
    seeds = range(lab.seed + 1, lab.seed + 1 + (3 if lab.fast else 5))  # none of them chose a rate
    runs = {name: [count(name, best[name], seed=seed, limit=limit) for seed in seeds] for name in OPTIMIZERS}
    for i, target in enumerate(targets):
        steps = {name: [run[i] for run in runs[name]] for name in OPTIMIZERS}
        adam = statistics.median(steps["Adam"])
        for rival in ("SGD", "SGD+momentum"):
            lab.claim(
                f"adam-against-{rival.lower().replace('+', '-')}-{target * 100:.0f}",
                f"To {target:.0%}, {rival} at its best rate needs fewer than 5 times Adam's steps at its best",
                predicted=5.0, measured=statistics.median(steps[rival]) / adam, relation="<", unit="times",
                note=f"steps over {len(seeds)} seeds: {rival} {_range(steps[rival])}, Adam {_range(steps['Adam'])}",
                source="the popular figure is 5; arXiv:1910.05446 on the protocol",
            )
    adam = min(tuning["Adam", 1e-3][0], limit)
    patience = int(6 * adam)
    slow = count("SGD", 1e-3, seed=lab.seed, limit=patience)[0]
    lab.claim(
        "adam-against-sgd-same-rate", f"At Adam's default rate, SGD needs more than 5 times the steps to {targets[0]:.0%}",
        predicted=5.0, measured=min(slow, patience) / adam, relation=">", unit="times",
        note="arrived" if slow < NEVER else "a lower bound: it had not arrived when the run was ended",
    )
    lab.prose("""So the figure holds when both use one and the same small rate, which is a statement about that rate: a
        step of plain SGD is lr·|gradient|, Adam's is about lr. It does not hold once SGD may use a rate that suits it.""")


def _range(steps: list[float]) -> str:
    return f"{_shown(min(steps))} to {_shown(max(steps))}, median {_shown(statistics.median(steps))}"


def _shown(steps: float) -> str:
    return "not reached" if steps == NEVER else f"{steps:.0f}"
