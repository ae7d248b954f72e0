"""What do learned weights look like, and how much of them is real?

Third part of `inspect_resnet`: filters, spectra, dead and duplicate filters, the freedom BatchNorm leaves, folding.
"""

import copy

import torch
from torch import nn

from torchclinic.instruments.filters import inspect_filters
from torchclinic.instruments.folding import fold_batchnorms
from torchclinic.labs.lab import Lab
from torchclinic.labs.pictures_cnn import show_weights
from torchclinic.models import CifarResNet
from torchclinic.models.resnet import BasicBlock

EPSILON = torch.finfo(torch.float32).eps


def run(lab: Lab, model: CifarResNet) -> None:
    lab.section("What the weights look like")
    show_weights(lab, model.conv1.weight, inspect_filters(model))
    planted = copy.deepcopy(model)
    weight = _block(planted, "layer2.0").conv2.weight
    weight[5], weight[9] = 0.0, -2 * weight[3]
    before, after = ({r.layer: r for r in inspect_filters(m)}["layer2.0.conv2"] for m in (model, planted))
    found = (set(after.dead) - set(before.dead), set(after.duplicates) - set(before.duplicates))
    lab.claim("planted-filters", "A silenced filter (5) and a scaled copy (9 of 3) are found, and nothing else",
        predicted="{5} {(3, 9)}", measured=f"{found[0]} {found[1]}")
    plain = copy.deepcopy(_block(model, "layer1.0")).train()
    scaled = copy.deepcopy(plain)
    scaled.conv1.weight.mul_(4.0)
    x = torch.rand(8, 16, 32, 32)
    smallest = float(plain.conv1(x).var((0, 2, 3)).min())
    y, y_scaled = plain(x), scaled(x)
    lab.claim("scale-free", "In train mode BatchNorm makes the scale of the weights before it meaningless: ×4",
        predicted=0.0, measured=float((y - y_scaled).abs().max() / y.abs().max()), relation="≈",
        tolerance=1e-5 / smallest + 2 * 146 * EPSILON, source="van Laarhoven 2017, eq. 2",
        note=f"relative; ε/variance = 1e-5/{smallest:.2g}, and the rounding of a block")
    _folding(lab, model)



def _folding(lab: Lab, model: CifarResNet) -> None:
    x = torch.rand(8, 3, 32, 32)
    folded, pairs = fold_batchnorms(model, x)
    lab.claim("folded-pairs", "Every convolution has its BatchNorm", predicted=19, measured=len(pairs), unit="pairs")
    expected = model(x)
    lab.claim("folding", "Folded into the convolutions, the network answers the same in eval mode", predicted=0.0,
        measured=float((folded(x) - expected).abs().max() / expected.abs().max()), relation="≈",
        tolerance=19 * 2 * 36 * EPSILON, source="Jacob et al. 2017, eq. 14",
        note="relative; 19 layers, two sums each, error growing as the root of at most 577 + 719 terms")


def _block(model: nn.Module, path: str) -> BasicBlock:
    block = model.get_submodule(path)
    assert isinstance(block, BasicBlock), path
    return block
