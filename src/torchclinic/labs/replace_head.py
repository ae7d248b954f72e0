"""What trains, what does not, and what is reached when a trained network gets a head for two classes?

Last part of `inspect_resnet`: the head is exchanged, the rest frozen, and a real step proves it.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import torchclinic as tc
from torchclinic.data import load_mnist
from torchclinic.data.cifar10 import normalize_rgb
from torchclinic.labs.lab import Lab
from torchclinic.models import CifarResNet

DIGITS = (4, 9)  # the two classes
STEPS = 200  # of the head's training, full batch
LEARNING_RATE = 0.1


def run(lab: Lab, model: CifarResNet, trained: bool) -> None:
    lab.section("A new head for two classes")
    swap = tc.replace_head(model, 2)
    lab.prose(f"`tc.replace_head` found the classifier at `{swap.path}` and exchanged {swap.old} for {swap.new}.")
    data = load_mnist()
    x, y = _two_digits(data.train_images, data.train_labels)
    test_x, test_y = _two_digits(data.test_images, data.test_labels)

    def step() -> None:
        model.train()
        F.cross_entropy(model(x[:32]), y[:32]).backward()
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        torch.optim.SGD(trained, LEARNING_RATE, weight_decay=5e-4).step()

    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("fc."))
    trap = tc.verify_frozen(model, step)
    lab.claim("trap", "With requires_grad = False alone, 19 BatchNorms still move mean, variance and counter",
        predicted=19 * 3, measured=len(trap.leaked), unit="buffers that drift")
    tc.freeze(model, keep="fc")
    proof = tc.verify_frozen(model, step)
    lab.claim("frozen", "After `tc.freeze` a real step changes the head and nothing else",
        predicted="fc.bias, fc.weight", measured=", ".join(sorted(proof.changed)),
        note=f"BLAKE2b of {len(proof.tensors)} parameters and buffers, before and after")
    trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    lab.claim("trainable", "What trains: 64 weights and a bias per class", predicted=2 * (64 + 1), measured=trainable,
        unit="parameters", note=f"of {sum(p.numel() for p in model.parameters()):,}")

    if not trained:
        lab.not_checked("new-head-accuracy", "A head on a random network says nothing about learned features.")
        return
    with torch.no_grad():  # the frozen part answers the same every time: once is enough
        features, test_features = _features(model, x), _features(model, test_x)
    optimizer = torch.optim.SGD(model.fc.parameters(), LEARNING_RATE, momentum=0.9)
    for _ in range(STEPS):
        optimizer.zero_grad()
        F.cross_entropy(model.fc(features), y).backward()
        optimizer.step()
    with torch.no_grad():
        accuracy = float((model.fc(test_features).argmax(1) == test_y).float().mean())
    n = len(test_y)
    lab.claim("new-head-accuracy", f"Features learned from photographs tell {DIGITS[0]} from {DIGITS[1]}, only the "
        "head being trained: better than a coin by more than 5 standard errors", relation=">",
        predicted=0.5 + 5 * math.sqrt(0.25 / n), measured=accuracy, source="binomial, √(p(1 − p)/n)",
        note=f"{len(y)} training and {n} test digits; one run, seed {lab.seed}")


def _two_digits(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The two digits as 32x32 colour pictures, and 0 or 1."""
    chosen = (labels == DIGITS[0]) | (labels == DIGITS[1])
    pictures = F.pad(images[chosen][:, None], (2, 2, 2, 2)).expand(-1, 3, -1, -1)
    return normalize_rgb(pictures), (labels[chosen] == DIGITS[1]).long()


def _features(model: CifarResNet, images: Tensor) -> Tensor:
    body = nn.Sequential(*list(model.children())[:-1], nn.Flatten()).eval()
    return torch.cat([body(part) for part in torch.split(images, 200)])
