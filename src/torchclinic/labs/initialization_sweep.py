"""Which initialization for which activation, and how deep?

Run: torchclinic lab initialization-relu [--fast]

Sources: He et al. 2015, arXiv:1502.01852; Glorot and Bengio 2010; Schoenholz et al. 2017, arXiv:1611.01232.
"""

import math

from torchclinic import theory
from torchclinic.labs.lab import Lab
from torchclinic.report.figures import heat_map
from torchclinic.training.initialization_sweep import ACTIVATIONS, INITIALIZATIONS, SweepCell, SweepTask, run_cell
from torchclinic.training.sweep import sweep

DEPTHS = (2, 5, 10, 20, 50, 100)
FAST_DEPTHS = (2, 10, 30, 100)
COMPARED = 10  # depth at which initializations are compared in numbers


def run(lab: Lab) -> None:
    heat(lab)


def heat(lab: Lab) -> None:
    depths = FAST_DEPTHS if lab.fast else DEPTHS
    width, steps = (32, 30) if lab.fast else (48, 50)
    lab.section("Initialization × activation × depth")
    lab.prose(f"""Each cell is a network of {width} units per layer on a task with four classes, at initialization and after
        {steps} steps of gradient descent at the best of three learning rates. All initializations of one activation and depth
        are trained at once, as one ensemble of stacked weights.""")
    tasks = [SweepTask(phi, depth, width, steps=steps, seed=lab.seed) for depth in depths for phi in ACTIVATIONS]
    cells = {(c.initialization, c.activation, c.depth): c for row in sweep(run_cell, tasks) for c in row}
    trained = {(i, a): [d for d in depths if cells[i, a, d].trains] for i in INITIALIZATIONS for a in ACTIVATIONS}
    deepest = [[max(trained[i, a], default=0) for a in ACTIVATIONS] for i in INITIALIZATIONS]
    lab.figure(heat_map("Deepest network that trains (0: none)", INITIALIZATIONS, ACTIVATIONS, deepest, row_label="weights",
               column_label="activation", description="He and orthogonal carry ReLU deeper than Xavier does."))
    shares = [[cells[i, a, depths[-2]].dead_share for a in ACTIVATIONS] for i in INITIALIZATIONS]
    lab.figure(heat_map(f"Share of dead hidden units, depth {depths[-2]}", INITIALIZATIONS, ACTIVATIONS, shares,
               description="Zero on the whole batch, at initialization: only an activation with a flat half can."))
    maps = (("variance_last", "Variance at the last hidden layer"), ("gradient_first", "Gradient at the first layer"))
    for name, title in maps:
        values = [[_log10(getattr(cells[i, a, depths[-2]], name)) for a in ACTIVATIONS] for i in INITIALIZATIONS]
        lab.figure(heat_map(f"{title}, depth {depths[-2]}, log10", INITIALIZATIONS, ACTIVATIONS, values,
                   description="Blue: exploding; orange: vanishing; crossed: exactly 0 or overflow."))
    lab.data(cells=[{f: getattr(c, f) for f in SweepCell.__slots__} for c in cells.values()])
    compare(lab, cells, depths, width)


def _log10(value: float) -> float:
    return math.log10(value) if 0 < value < math.inf else math.nan


def compare(lab: Lab, cells: dict[tuple[str, str, int], SweepCell], depths: tuple[int, ...], width: int) -> None:
    for id, name in (("zeros", "zeros"), ("constant", "constant 0.1")):
        count = sum(cells[name, a, d].trains for a in ACTIVATIONS for d in depths)
        lab.claim(f"sweep.{id}", f"Networks that train from {name}: all units are and stay alike",
                  predicted=0, measured=count, note=f"n = {len(ACTIVATIONS) * len(depths)}")
    he, xavier = cells["He", "ReLU", COMPARED], cells["Xavier", "ReLU", COMPARED]
    lab.claim("sweep.relu-pair", f"ReLU, depth {COMPARED}: variance with He over variance with Xavier, same draws",
              predicted=2.0 ** (COMPARED - 1), measured=he.variance_last / xavier.variance_last, relation="≈",
              tolerance=2.0 ** (COMPARED - 1) * 1e-3, source="arXiv:1502.01852, eq. 9-10",
              note="ReLU is homogeneous, so √2 per layer is exact up to rounding")
    deep = [max((d for d in depths if cells[i, "ReLU", d].trains), default=0) for i in ("He", "Xavier")]
    lab.claim("sweep.relu-best-loss", f"ReLU, depth {COMPARED}: He ends at a lower loss than Xavier; deepest that trains: "
              f"{deep[0]} against {deep[1]}", predicted=xavier.loss, measured=he.loss, relation="<")
    large = cells["N(0, 1)", "ReLU", COMPARED].variance_last
    hidden = COMPARED - 1
    spread = theory.log_spread(hidden, width, theory.activation("relu"))
    lab.claim("sweep.normal-explodes", f"N(0, 1) before ReLU, depth {COMPARED}: log of the variance",
              predicted=math.log(2) + hidden * math.log(width / 2), measured=math.log(large), relation="≈",
              tolerance=2.576 * spread + spread**2 / 2, source="arXiv:1502.01852, eq. 9: each layer multiplies by width / 2",
              note="one network: 99 % of theory's spread and drift at finite width")
    small = theory.fixed_point("tanh", 1e-4 * width)
    lab.claim("sweep.small-vanishes", f"N(0, 0.01²) before tanh, depth {COMPARED}: log of the variance",
              predicted=hidden * math.log(small.chi),
              measured=math.log(cells["N(0, 0.01²)", "tanh", COMPARED].variance_last), relation="≈",
              tolerance=2.576 * math.sqrt(2 * hidden / width) + hidden / width, source="arXiv:1611.01232: χ₁ = σ_w²",
              note="tanh is linear here; κ = 2 for linear units")
    chaotic = theory.fixed_point("tanh", 2.0).chi
    ratio = [cells[i, "tanh", depths[-1]].gradient_first for i in ("He", "Xavier")]
    lab.claim("sweep.tanh-he-explodes", f"tanh, depth {depths[-1]}: He's gradient at the first layer is larger than Xavier's by "
              f"far, since He puts tanh in the chaotic phase (χ₁ = {chaotic:.3f})", predicted=1e2,
              measured=ratio[0] / ratio[1], relation=">", source="arXiv:1611.01232: χ₁ per layer",
              note=f"χ₁ to the power of the depth: {chaotic ** depths[-1]:.2g}")
