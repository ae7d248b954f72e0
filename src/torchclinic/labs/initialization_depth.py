"""How far does a signal travel through fifty layers of ReLU and tanh, and do the recursions say so?

Run: torchclinic lab initialization-relu [--fast]

Sources: He et al. 2015, arXiv:1502.01852; Poole et al. 2016, arXiv:1606.05340; Schoenholz et al. 2017, arXiv:1611.01232;
Hanin and Rolnick 2018, arXiv:1803.01719.
"""

import math

import torch
from torch import Tensor, nn

from torchclinic import theory
from torchclinic.labs.lab import Lab
from torchclinic.report.figures import line_chart

DEPTH = 50  # layers
Z99 = 2.576  # 99 % of a normal lies within as many standard deviations


def run(lab: Lab) -> None:
    torch.manual_seed(lab.seed)
    deep(lab)


def measure_depth(kind: str, phi: nn.Module, width: int, networks: int) -> Tensor:
    """Mean square of each layer's pre-activations, [networks, DEPTH], of `networks` fresh networks on one input each."""
    gain = theory.gain(phi) if kind == "he" else 1.0
    rows = []
    for _ in range(networks):
        x, seen = torch.randn(1, width), []
        for _ in range(DEPTH):
            x = x @ (torch.randn(width, width) * gain / math.sqrt(width))
            seen.append(x.double().square().mean())
            x = phi(x)
        rows.append(torch.stack(seen))
    return torch.stack(rows)


def deep(lab: Lab) -> None:
    lab.section(f"Variance through {DEPTH} layers")
    width, networks = (128, 50) if lab.fast else (256, 200)
    lab.prose(f"""{networks} networks of {DEPTH} layers and {width} units each. Theory: each ReLU halves the mean square, He's
        weights double it. At finite width each layer adds a random step of variance 5 / width to its logarithm.""")
    relu = {kind: measure_depth(kind, nn.ReLU(), width, networks).log() for kind in ("he", "xavier")}
    spread = theory.log_spread(DEPTH - 1, width, theory.activation("relu"))
    for kind, factor in (("he", 1.0), ("xavier", 0.5)):
        change = relu[kind][:, -1] - relu[kind][:, 0]
        predicted = (DEPTH - 1) * math.log(factor) - spread**2 / 2
        lab.claim(f"{kind}.relu-50", f"ReLU with {kind.capitalize()}: log of mean square at layer {DEPTH} over layer 1",
                  predicted=predicted, measured=change.mean().item(), relation="≈",
                  tolerance=Z99 * spread / math.sqrt(networks), source="arXiv:1502.01852, eq. 9-10; arXiv:1803.01719",
                  note=f"n = {networks}, spread {change.std():.3f} (theory {spread:.3f}), 99 % interval of the mean")
    phi = theory.activation("tanh")
    tanh = measure_depth("xavier", nn.Tanh(), width, networks)
    curve, wide, spread = [1.0], [1.0], 0.0
    for _ in range(DEPTH - 1):
        q, spread = theory.finite_width_step(curve[-1], spread, width, 1.0, phi)
        curve.append(q)
        wide.append(theory.forward_linear(theory.forward_activation(wide[-1], phi), width, 1 / width))
    spread += 2 * curve[-1] ** 2 / width  # the last mean square is itself taken over `width` units
    lab.claim("xavier.tanh-50", f"tanh with Xavier: mean square at layer {DEPTH} follows the recursion and does not vanish",
              predicted=curve[-1], measured=tanh[:, -1].mean().item(), relation="≈",
              tolerance=Z99 * math.sqrt(spread / networks), source="arXiv:1606.05340 (length map); arXiv:1910.00019",
              note=f"n = {networks}, spread {tanh[:, -1].std():.2g} (theory {math.sqrt(spread):.2g}), 99 % interval of the mean; "
              f"infinite width: {wide[-1]:.4g}")
    lines = {f"ReLU, {kind.capitalize()}": list(enumerate(relu[kind].mean(0).exp().tolist(), 1)) for kind in relu}
    lines |= {"tanh, Xavier": list(enumerate(tanh.mean(0).tolist(), 1)), "tanh, theory": list(enumerate(curve, 1))}
    lab.figure(line_chart("Mean square of the pre-activations, layer by layer", lines, "layer", "mean square", log_y=True,
               dashed=("tanh, theory",), description="He keeps ReLU level; Xavier halves it at every layer."))
