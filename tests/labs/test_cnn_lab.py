"""Lab 5 holds, and says what it could not check."""

import json
import math
import os
from importlib.resources import files
from pathlib import Path

import pytest
import torch

from torchclinic import models
from torchclinic.data.cifar10 import load_cifar10, normalize_rgb
from torchclinic.labs import catalogue, inspect_resnet
from torchclinic.labs.lab import Options
from torchclinic.report.html import report_page

CARRIED = (files("torchclinic.models") / "embedded" / "resnet20-cifar10.safetensors").is_file()
CIFAR = Path(os.environ.get("TORCHCLINIC_DATA", "/nonexistent")) / "cifar10" / "test.npz"


@pytest.fixture(scope="module")
def report():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TORCHCLINIC_DATA", raising=False)
        return catalogue.run(catalogue.find("cnn-mechanics"), Options(fast=True))


def test_at_least_twenty_claims_hold(report):
    assert [claim.id for claim in report.claims if not claim.passed] == []
    assert len(report.claims) >= 20


def test_without_cifar10_the_accuracy_is_listed_as_not_checked(report):
    assert "cifar10-accuracy" in {item.code for item in report.not_checked}


def test_the_page_stays_small_and_steps(report):
    page = report_page(report)
    assert len(page) < 500_000
    assert "Max pooling 2x2" in page


def test_approximate_claims_say_where_their_tolerance_comes_from(report):
    approximate = [claim for claim in report.claims if claim.relation == "≈"]
    assert approximate
    assert all(claim.note or claim.source for claim in approximate)


@pytest.mark.skipif(not CARRIED, reason="the package was built without the trained weights")
@pytest.mark.skipif(not CIFAR.is_file(), reason="needs CIFAR-10 in TORCHCLINIC_DATA")
def test_the_embedded_network_reaches_the_accuracy_it_was_measured_at():
    """What its log says, within three standard errors of 1,000 images."""
    log = files("torchclinic.models") / "embedded" / "resnet20-cifar10-third.jsonl"
    recorded = json.loads(log.read_text().splitlines()[-1])["test_accuracy"]
    assert recorded == inspect_resnet.ACCURACY
    test = load_cifar10("test", 1000)
    model = models.resnet20(weights="cifar10")
    with torch.no_grad():
        answers = torch.cat([model(normalize_rgb(part)).argmax(1) for part in test.images.split(250)])
    error = math.sqrt(recorded * (1 - recorded) / 1000)
    assert abs(float((answers == test.labels).float().mean()) - recorded) <= 3 * error
