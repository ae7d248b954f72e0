"""What is inside a trained residual network, what does each part cost, and what changes when its head is replaced?

    torchclinic lab cnn-mechanics

The ResNet-20 of the package, dissected: names, one block by hand, receptive fields, cost, weights, folding, a new head.
Sources: He et al. 2015, arXiv:1512.03385 (the network); Araujo, Norris, Sim 2019, doi:10.23915/distill.00021 (receptive
fields); Jacob et al. 2017, arXiv:1712.05877, eq. 14 (folding); van Laarhoven 2017, arXiv:1706.05350, eq. 2 (scale).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import torchclinic as tc
from torchclinic import models
from torchclinic.cnn import filters
from torchclinic.cnn.geometry import Axis
from torchclinic.cnn.receptive_field import closed_form
from torchclinic.data.cifar10 import CLASSES, load_cifar10, normalize_rgb
from torchclinic.errors import CheckpointError, DataError
from torchclinic.instruments.footprint import fits, gradient_footprint
from torchclinic.labs import learned_weights, replace_head
from torchclinic.labs.lab import Lab
from torchclinic.labs.pictures_cnn import show_activations
from torchclinic.models.resnet import BasicBlock

EPSILON = torch.finfo(torch.float32).eps
SHAPE = (3, 32, 32)
BLOCKS = [f"layer{stage}.{index}" for stage in (1, 2, 3) for index in range(3)]
ACCURACY = 0.8924  # of the carried weights, as their training recorded; He et al. report 0.9125 (table 6)


def run(lab: Lab) -> None:
    torch.manual_seed(lab.seed)
    trained = True
    try:
        model = models.resnet20(weights="cifar10")
    except CheckpointError as absent:
        model, trained = models.resnet20().eval(), False
        lab.not_checked("cifar10-accuracy", f"{absent} The rest is said of a random network.")
    with torch.no_grad():
        _structure(lab, model)
        _fields(lab, model)
        _cost(lab, model)
        learned_weights.run(lab, model)
        if trained:
            _answers(lab, model)
    replace_head.run(lab, model, trained)


def _structure(lab: Lab, model: models.CifarResNet) -> None:
    lab.section("The same names, the same numbers")
    pairs = 3 * 16 + 6 * 16 * 16 + (16 * 32 + 5 * 32 * 32) + (32 * 64 + 5 * 64 * 64)  # channels in · channels out
    lab.claim("resnet20-parameters", "ResNet-20: 9·Σ channels in·out, 2 per BatchNorm channel, and the head",
        predicted=9 * pairs + 2 * (7 * 16 + 6 * 32 + 6 * 64) + 65 * 10, unit="parameters",
        measured=sum(p.numel() for p in model.parameters()), source="He et al. 2015, section 4.2: 0.27 M")
    imagenet = models.resnet18()
    lab.claim("resnet18-parameters", "ResNet-18 has the parameters of torchvision's", predicted=11_689_512,
        measured=sum(p.numel() for p in imagenet.parameters()), source="torchvision, table of weights")
    lab.claim("resnet18-entries", "Its state dict: 20 convolutions, 20 BatchNorms of 5 entries, a head of 2",
        predicted=20 + 20 * 5 + 2, measured=len(imagenet.state_dict()), unit="entries")
    x, block = torch.rand(1, 16, 32, 32), model.layer1[0]
    assert isinstance(block, BasicBlock), "a CIFAR network has basic blocks"
    inner = F.relu(_norm(tc.conv2d(x, block.conv1.weight, padding=1), block.bn1))
    by_hand = F.relu(x + _norm(tc.conv2d(inner, block.conv2.weight, padding=1), block.bn2))
    lab.claim("block-by-hand", "A block is relu(x + BN(conv(relu(BN(conv(x)))))), each by hand", predicted=0.0,
        measured=float((block(x) - by_hand).abs().max()), relation="≈",
        tolerance=2 * 146 * EPSILON * float(by_hand.abs().max() + inner.abs().max() + 1),
        source="He et al. 2015, eq. 1", note="two sums of 144 products and two affine maps")


def _fields(lab: Lab, model: models.CifarResNet) -> None:
    lab.section("How far each layer sees")
    fields = tc.receptive_field(model, SHAPE)
    shown = [row for row in fields if row.call == 2 or row.layer in ("conv1", "avgpool", "fc")]
    lab.table(("after", "size", "stride", "offset", "status"),
        [(row.layer, str(row.size), str(row.stride), str(row.offset), row.status) for row in shown],
        "ResNet-20: receptive fields in input pixels")
    longest = closed_form([Axis(3, 2 if index in (7, 13) else 1, 1) for index in range(19)])
    lab.claim("field-20", "19 convolutions of 3x3, two with stride 2: 1 + 2·(8·1 + 6·2 + 5·4)", unit="pixels",
        predicted=longest.size, measured=fields["layer3.2.relu"].size, source="Araujo et al. 2019, doi:10.23915/distill.00021")
    blocks = [Axis(3, 2 if index in (4, 8, 12) else 1, 1) for index in range(16)]
    lab.claim("field-18", "The last block of ResNet-18 sees more than its 224 pixels, over the longest path",
        predicted=closed_form([Axis(7, 2, 3), Axis(3, 2, 1), *blocks]).size, unit="pixels",
        measured=tc.receptive_field(models.resnet18(), (3, 64, 64))["layer4.1.relu"].size,
        source="Araujo et al. 2019, doi:10.23915/distill.00021")
    fitting = sum(fits(fields[f"{name}.relu"].field, *gradient_footprint(model, SHAPE, name)) for name in BLOCKS)
    lab.claim("footprints", "The gradient of a middle pixel reaches exactly the predicted field, in every block",
        predicted=len(BLOCKS), measured=fitting, unit="blocks")


def _cost(lab: Lab, model: models.CifarResNet) -> None:
    lab.section("What each layer costs")
    total = tc.summary(model, (1, *SHAPE))
    stages = []
    for stage in ("conv1", "layer1", "layer2", "layer3", "fc"):
        rows = [row for row in total.layers if row.layer.startswith(stage)]
        counts = [(row.parameters, row.macs, row.output_nbytes) for row in rows]
        stages.append((stage, *(sum(column) for column in zip(*counts, strict=True))))
    lab.table(("stage", "parameters", "MACs", "bytes of activations"), stages, total.totals())
    closed = 0
    for row in total.layers:
        layer = model.get_submodule(row.layer)
        if isinstance(layer, nn.Conv2d | nn.Linear):
            closed += math.prod(row.output_shape[1:]) * math.prod(layer.weight.shape[1:])
    lab.claim("macs", "MACs are Σ output cells · weights per filter: torch's counter agrees", predicted=closed,
        measured=total.macs, unit="MACs", source="torch.utils.flop_counter, halved")
    lab.claim("stages", "Half the side and twice the channels: stages 2 and 3 cost the same", unit="MACs",
        predicted=stages[2][2], measured=stages[3][2], source="He et al. 2015, section 3.3, rule (ii)")
    failed = tc.summary(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(10, 2)), (1, *SHAPE))
    where = f"{failed.failure.layer if failed.failure else None} after {len(failed.layers)} layers"
    lab.claim("failing-forward", "A summary of a network whose head does not fit names the layer, and keeps the rest",
        predicted="2 after 2 layers", measured=where, note=str(failed.failure))


def _answers(lab: Lab, model: models.CifarResNet) -> None:
    lab.section("What it answers")
    picture = normalize_rgb(F.interpolate(filters.photograph()[None], (32, 32), mode="area"))
    show_activations(lab, model, picture, ["relu", "layer1.2", "layer2.2", "layer3.2"])
    top = model(picture)[0].softmax(0).topk(3)
    rows = [(CLASSES[index], float(share)) for share, index in zip(top.values, top.indices, strict=True)]
    lab.table(("class", "probability"), rows, "The cat, reduced to 32 x 32")
    try:
        test = load_cifar10("test", 1000 if lab.fast else None, lab.options.data_dir)
    except DataError as absent:
        lab.not_checked("cifar10-accuracy", str(absent))
        return
    answers = torch.cat([model(normalize_rgb(part)).argmax(1) for part in torch.split(test.images, 500)])
    n, right = len(test.labels), int((answers == test.labels).sum())
    slack = 3 * math.sqrt(ACCURACY * (1 - ACCURACY) / n) if lab.fast else 2 / n  # ties may fall either way
    lab.claim("cifar10-accuracy", f"Accuracy on {n:,} test images of CIFAR-10: what the training recorded",
        predicted=ACCURACY, relation="≈", measured=right / n, tolerance=slack,
        source="He et al. 2015, table 6: 0.9125 after 164 epochs",
        note="48 epochs on JPEG copies of the images, one run; on a part of them 3 standard errors")


def _norm(x: Tensor, norm: nn.BatchNorm2d) -> Tensor:
    assert norm.running_mean is not None, "the network keeps running statistics"
    assert norm.running_var is not None, "the network keeps running statistics"
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return (x - norm.running_mean[:, None, None]) * scale[:, None, None] + norm.bias[:, None, None]
