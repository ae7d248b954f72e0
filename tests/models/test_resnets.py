"""The residual networks and their weights: names, shapes, numbers, and every way to load them."""

import hashlib
import http.server
import importlib.util
import json
import sys
import threading
import types
from importlib.resources import files
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from torchclinic import models
from torchclinic.errors import CheckpointError, DataError, InputError
from torchclinic.models import weights
from torchclinic.models.weights import Source

# names and shapes of torchvision 0.29's networks
KEYS = json.loads((Path(__file__).parents[1] / "tables" / "resnet_keys.json").read_text())
DEPTHS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3), "resnet50": (3, 4, 6, 3)}


@pytest.mark.parametrize(
    ("name", "entries", "parameters"), [("resnet18", 122, 11_689_512), ("resnet34", 218, 21_797_672), ("resnet50", 320, 25_557_032)]
)
def test_names_shapes_and_order_are_those_of_torchvision(name, entries, parameters):
    model = getattr(models, name)()
    state = model.state_dict()
    assert {key: list(value.shape) for key, value in state.items()} == KEYS[name]
    assert list(state) == list(KEYS[name])
    assert (len(state), sum(p.numel() for p in model.parameters())) == (entries, parameters)


@pytest.mark.parametrize(("depth", "parameters"), [(20, 0.27e6), (32, 0.46e6), (44, 0.66e6), (56, 0.85e6)])
def test_cifar_networks_have_the_published_number_of_parameters(depth, parameters):
    """He et al. 2015, table 6, two digits; option A shortcuts."""
    model = getattr(models, f"resnet{depth}")()
    assert abs(sum(p.numel() for p in model.parameters()) - parameters) < 0.006e6
    assert sum(isinstance(m, torch.nn.Conv2d | torch.nn.Linear) for m in model.modules()) == depth


def functional_resnet(state, depths, x, bottleneck):
    """A second implementation, from the state dict alone."""

    def norm(x, name):
        mean, var, weight, bias = (state[f"{name}.{key}"] for key in ("running_mean", "running_var", "weight", "bias"))
        return (x - mean[:, None, None]) / torch.sqrt(var + 1e-5)[:, None, None] * weight[:, None, None] + bias[:, None, None]

    def layer(x, block, i, stride=1):
        weight = state[f"{block}.conv{i}.weight"]
        return norm(F.conv2d(x, weight, None, stride, weight.shape[-1] // 2), f"{block}.bn{i}")

    x = F.relu(norm(F.conv2d(x, state["conv1.weight"], None, 2, 3), "bn1"))
    x = F.max_pool2d(x, 3, 2, 1)
    for stage, depth in enumerate(depths, start=1):
        for index in range(depth):
            block, stride = f"layer{stage}.{index}", 2 if stage > 1 and index == 0 else 1
            shortcut = x
            if f"{block}.downsample.0.weight" in state:
                shortcut = norm(F.conv2d(x, state[f"{block}.downsample.0.weight"], None, stride), f"{block}.downsample.1")
            if bottleneck:
                x = layer(F.relu(layer(F.relu(layer(x, block, 1)), block, 2, stride)), block, 3)
            else:
                x = layer(F.relu(layer(x, block, 1, stride)), block, 2)
            x = F.relu(x + shortcut)
    return x.mean((2, 3)) @ state["fc.weight"].T + state["fc.bias"]


@pytest.mark.parametrize("name", DEPTHS)
def test_outputs_equal_a_second_implementation(name):
    torch.manual_seed(0)
    model = getattr(models, name)().double().eval()
    for value in model.state_dict().values():
        if value.dim() == 1 and value.is_floating_point():  # biases and everything of BatchNorm
            value.add_(torch.rand_like(value) * 0.2)
    x = torch.randn(2, 3, 48, 56, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(model(x), functional_resnet(model.state_dict(), DEPTHS[name], x, name == "resnet50"))


def test_a_block_without_its_shortcut_would_be_noticed():
    model = models.resnet18().double().eval()
    x = torch.randn(1, 3, 48, 48, dtype=torch.float64)
    state = model.state_dict()
    with torch.no_grad():
        whole = functional_resnet(state, (2, 2, 2, 2), x, False)
        cut = functional_resnet(state, (2, 2, 2, 1), x, False)
    assert not torch.allclose(whole, cut)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_from_a_file_are_the_ones_that_were_saved(tmp_path, suffix):
    model, path = models.resnet20(), tmp_path / f"mine{suffix}"
    torch.save(model.state_dict(), path) if suffix == ".pth" else save_file(model.state_dict(), path)
    loaded = models.resnet20(weights=str(path))
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), loaded.state_dict().values(), strict=True))
    assert not loaded.training


@pytest.fixture
def server(tmp_path):
    """Serves `tmp_path`/served over HTTP with ranges, and counts what it sent."""
    served = tmp_path / "served"
    served.mkdir()
    sent = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            path = served / self.path.lstrip("/")
            if not path.is_file():
                self.send_error(404)
                return
            content = path.read_bytes()
            start = int(self.headers.get("Range", "bytes=0-")[6:-1])
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            self.wfile.write(content[start:])
            sent.append(len(content) - start)

        def log_message(self, *_):
            pass

    instance = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=instance.serve_forever)
    thread.start()
    yield served, f"http://127.0.0.1:{instance.server_address[1]}", sent
    instance.shutdown()
    thread.join()
    instance.server_close()


def publish(served, url, model):
    """Save a state dict under a name that carries its SHA-256, as torch hub does."""
    path = served / "draft.pth"
    torch.save(model.state_dict(), path)
    name = f"resnet18-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}.pth"
    path.rename(served / name)
    return Source(f"{url}/{name}")


def test_imagenet_weights_are_downloaded_checked_resumed_and_kept(server, tmp_path, monkeypatch):
    served, url, sent = server
    model = models.resnet18()
    source = publish(served, url, model)
    monkeypatch.setitem(weights.IMAGENET, "resnet18", source)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    size = (served / source.file_name).stat().st_size
    partial = tmp_path / "cache" / "torchclinic" / ".partial" / source.file_name
    partial.parent.mkdir(parents=True)
    partial.write_bytes((served / source.file_name).read_bytes()[: size - 1000])
    loaded = models.resnet18(weights="imagenet")
    assert sent == [1000]  # only the rest
    assert torch.equal(loaded.fc.weight, model.fc.weight)
    models.resnet18(weights="imagenet")
    assert sent == [1000]  # from the cache


def test_a_tampered_file_is_refused_and_not_kept(server, tmp_path):
    served, url, _ = server
    source = publish(served, url, models.resnet20())
    path = served / source.file_name
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(DataError, match="SHA-256") as caught:
        weights.download(source, tmp_path / "cache")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "cache" / source.file_name).exists()


def test_without_a_network_one_sentence_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match=r"Without a network, copy http://127.0.0.1:9/resnet18-f37072fd.pth to"):
        weights.download(Source("http://127.0.0.1:9/resnet18-f37072fd.pth"), tmp_path)


def test_the_official_names_carry_the_checksums():
    assert {name: source.sha256 for name, source in weights.IMAGENET.items()} == {
        "resnet18": "f37072fd",
        "resnet34": "b627a593",
        "resnet50": "0676ba61",
    }


def test_weights_come_through_torchvision_where_it_is(monkeypatch):
    model = models.resnet18()
    asked = []

    def get_model(name, weights):
        asked.append((name, weights))
        return model

    module = types.ModuleType("torchvision.models")
    module.get_model = get_model
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, "torchvision.models", module)
    loaded = models.resnet18(weights="torchvision")
    assert asked == [("resnet18", "IMAGENET1K_V1")]
    assert torch.equal(loaded.conv1.weight, model.conv1.weight)


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is not None, reason="torchvision is installed")
def test_without_torchvision_one_sentence_says_so():
    with pytest.raises(InputError, match="needs torchvision"):
        models.resnet18(weights="torchvision")


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("resnet18", "cifar10", "'imagenet', 'torchvision' or a .pth"),
        ("resnet20", "imagenet", "'cifar10' or a .pth"),
        ("resnet56", "cifar10", "give a .pth"),
    ],
)
def test_unknown_weights_are_answered_with_the_known_ones(name, given, said):
    with pytest.raises(InputError, match=said):
        getattr(models, name)(weights=given)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a readable checkpoint"),
        (b"PK\x03\x04 broken", "not a readable checkpoint"),
        (b"\x80\x02cos\nsystem\n.", "not a readable checkpoint"),
        (None, "no file"),
    ],
)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_that_is_no_checkpoint_gets_one_sentence(tmp_path, content, said, suffix):
    path = tmp_path / f"x{suffix}"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=said) as caught:
        models.resnet20(weights=path)
    assert "\n" not in str(caught.value)


def test_weights_that_do_not_fit_name_the_first_keys(tmp_path):
    torch.save(models.resnet20(num_classes=100).state_dict(), tmp_path / "hundred.pth")
    with pytest.raises(CheckpointError, match=r"of another shape \(fc.weight \[100, 64\] for \[10, 64\]\)"):
        models.resnet20(weights=tmp_path / "hundred.pth")
    torch.save({"state_dict": models.resnet18().state_dict()}, tmp_path / "eighteen.pth")
    with pytest.raises(CheckpointError, match="unexpected"):
        models.resnet20(weights=tmp_path / "eighteen.pth")
    torch.save({"epoch": 3}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="holds no state dict"):
        models.resnet20(weights=tmp_path / "other.pth")


CARRIED = (files("torchclinic.models") / "embedded" / "resnet20-cifar10.safetensors").is_file()


@pytest.mark.skipif(CARRIED, reason="the trained weights are there")
def test_absent_embedded_weights_are_said():
    with pytest.raises(CheckpointError, match=r"does not carry resnet20-cifar10.safetensors"):
        models.resnet20(weights="cifar10")


@pytest.mark.skipif(not CARRIED, reason="the package was built without the trained weights")
def test_the_embedded_network_answers_with_finite_logits():
    model = models.resnet20(weights="cifar10")
    with torch.no_grad():
        logits = model(torch.zeros(2, 3, 32, 32))
    assert logits.shape == (2, 10)
    assert logits.isfinite().all()
