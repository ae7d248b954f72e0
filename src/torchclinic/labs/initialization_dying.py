"""What kills units after the start, and how many networks are dead before it?

Run: torchclinic lab initialization-relu [--fast]

Sources: Lu et al. 2019, arXiv:1903.06733; He et al. 2015, arXiv:1502.01852.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import torchclinic as tc
from torchclinic import theory
from torchclinic.labs.lab import Lab
from torchclinic.report.figures import line_chart

WIDTHS = (2, 3, 4, 5)  # of the networks that are born dead or not, as in the paper
HIDDEN = 128  # units of the network that dies during training


def run(lab: Lab) -> None:
    dying_later(lab)
    born_dead(lab)


def shifted_points(seed: int) -> tuple[Tensor, Tensor]:
    """256 samples of 20 features with mean 3 and variance 1 (nobody standardized them), four classes."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(256, 20, generator=generator)
    return x + 3, (x @ torch.randn(20, 4, generator=generator)).argmax(1)


def train(
    phi: type[nn.Module], rate: float, norm: bool, x: Tensor, y: Tensor, seed: int
) -> tuple[float, float, int, float]:
    """(dead share at the start, after 30 steps, findings of ACT001, final loss)."""
    torch.manual_seed(seed)
    norms: list[nn.Module] = [nn.BatchNorm1d(HIDDEN)] if norm else []
    model = nn.Sequential(nn.Linear(20, HIDDEN), *norms, phi(), nn.Linear(HIDDEN, 4))
    tc.initialize(model)
    start = tc.propagation(model, (x, y), F.cross_entropy)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    with tc.monitor(model, optimizer) as monitor:
        for _ in range(30):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    end = tc.propagation(model, (x, y), F.cross_entropy, step=30)
    dead = [sum(row.dead_units for row in record if row.role == "activation") / HIDDEN for record in (start, end)]
    found = [finding for finding in monitor.report().findings if finding.code == "ACT001"]
    return dead[0], dead[1], len(found), F.cross_entropy(model(x), y).item()


def dying_later(lab: Lab) -> None:
    lab.section("Dying later")
    lab.prose("""Healthy at the start, killed on the way: with inputs of mean 3, a step too large throws whole units below zero on
        every sample. The rule ACT001 sees it. Three remedies are tried, each alone.""")
    x, y = shifted_points(lab.seed)
    trials = {"ReLU, rate 1": (nn.ReLU, 1.0, False), "ReLU, rate 0.01": (nn.ReLU, 0.01, False),
              "leaky ReLU, rate 1": (nn.LeakyReLU, 1.0, False), "He + BatchNorm, rate 1": (nn.ReLU, 1.0, True)}
    seen = {name: train(*trial, x, y, lab.seed) for name, trial in trials.items()}
    columns = ("network", "dead at the start", "dead after 30 steps", "ACT001 findings", "loss")
    lab.table(columns, [(name, *values) for name, values in seen.items()])
    killed, low, leaky, norm = seen.values()
    lab.claim("later.killed", "Rate 1 leaves more than half of the ReLU units dead, more than any initialization can",
              predicted=0.5, measured=killed[1], relation=">", note=f"at the start: {killed[0]:.3f}")
    lab.claim("later.seen", "ACT001 reports that layer, and none of the three remedies",
              predicted="1, 0, 0, 0", measured=", ".join(str(v[2]) for v in seen.values()))
    lab.claim("later.lower-rate", "A rate a hundred times lower kills at most one unit in a hundred",
              predicted=0.01, measured=low[1] - low[0], relation="≤", note=f"loss {low[3]:.3f} after 30 steps: slow")
    lab.claim("later.leaky", "Leaky ReLU has no dead units: its slope is nowhere zero",
              predicted=0.0, measured=leaky[1], note=f"loss {leaky[3]:.3g}: alive, but the rate is still too large")
    lab.claim("later.batchnorm", "He + BatchNorm at the same rate: no dead unit, and it learns: loss below a quarter of log 4",
              predicted=math.log(4) / 4, measured=norm[3] if norm[1] == 0 else math.nan, relation="<",
              note="BatchNorm takes the mean of 3 away before the activation sees it")


def born_dead(lab: Lab) -> None:
    lab.section("Born dead: a figure of Lu et al.")
    networks, depths = (1000, (2, 3, 5, 10, 15, 20)) if lab.fast else (4000, (2, 3, 4, 5, 7, 10, 15, 20, 25, 30))
    lab.prose(f"""A ReLU network whose input is one number and whose biases are zero is born dead when its output is constant.
        {networks:,} networks per point with He's weights, evaluated at −1 and 1 (homogeneity makes these two enough), against
        the bounds of the paper, in which depth counts the layers with weights.""")
    generator = torch.Generator().manual_seed(lab.seed)
    lines: dict[str, list[tuple[float, float]]] = {}
    inside = 0
    for width in WIDTHS:
        for depth in depths:
            x = torch.tensor([[-1.0], [1.0]]).expand(networks, 2, 1)
            for _ in range(depth - 1):
                x = torch.relu(
                    x @ (torch.randn(networks, x.shape[2], width, generator=generator) * math.sqrt(2 / x.shape[2]))
                )
            dead = int((x == 0).all((1, 2)).sum())
            low, high = theory.born_dead_bounds(depth, width)
            interval = theory.wilson(dead, networks)
            inside += interval[0] <= high and interval[1] >= low
            for name, value in (
                (f"N = {width}", dead / networks),
                (f"N = {width}, low", low),
                (f"N = {width}, high", high),
            ):
                lines.setdefault(name, []).append((depth, value))
    dashed = [name for name in lines if "," in name]
    lab.figure(line_chart("Probability of being born dead", lines, "depth (layers)", "probability", markers=False, dashed=dashed,
               description="Deeper and narrower is deadlier; the measured curves run between the dashed bounds."))
    points = len(WIDTHS) * len(depths)
    lab.claim("born-dead.figure", "Points of the figure whose 99 % interval meets the paper's bounds", predicted=points,
              measured=inside, source="arXiv:1903.06733, section 3", note=f"{networks} networks per point")
    for depth, why in ((3, "3/4² − 2/4³ = 10/64"), (10, "a Markov chain of angles, integrated numerically")):
        exact = theory.born_dead_probability(depth, 2).estimate
        lab.claim(f"born-dead.exact-{depth}", f"Depth {depth}, width 2, where the probability is known: {why}",
                  predicted=exact, measured=dict(lines["N = 2"])[depth], relation="≈", source="torchclinic.theory.two_units",
                  tolerance=2.576 * math.sqrt(exact * (1 - exact) / networks), note=f"n = {networks}")
