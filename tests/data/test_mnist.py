"""The embedded images, the IDX files, and the way to them."""

import gzip
import hashlib
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from torchclinic.data import idx, load_mnist, mnist, normalize
from torchclinic.errors import DataError, InputError

FULL = Path(os.environ.get("TORCHCLINIC_DATA", "absent")) / "mnist"
needs_mnist = pytest.mark.skipif(not FULL.is_dir(), reason="full MNIST: set TORCHCLINIC_DATA")


def idx_bytes(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A folder with four consistent files of a few images, declared to be MNIST."""
    rng = np.random.default_rng(0)
    sums = {}
    for name in mnist.SHA256:
        count = 20 if name.startswith("train") else 10
        shape = (count, 28, 28) if "images" in name else (count,)
        content = idx_bytes(rng.integers(0, 10, shape, dtype=np.uint8))
        sums[name] = hashlib.sha256(content).hexdigest()
        (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(mnist, "SHA256", sums)
    return tmp_path


def test_subset_is_stratified_and_every_prefix_of_it_balanced():
    data = load_mnist()
    assert data.train_images.shape == (4000, 28, 28)
    assert data.train_images.dtype == torch.uint8
    assert data.train_labels.bincount().tolist() == [400] * 10
    assert data.test_labels.bincount().tolist() == [100] * 10
    assert data.train_labels[:100].bincount().tolist() == [10] * 10


def test_subset_is_the_same_every_time():
    data = load_mnist()
    content = torch.cat([data.train_images, data.test_images]).numpy().tobytes()
    assert hashlib.sha256(content).hexdigest() == "d7099ff73588a67d7a5e8930873d86fffe892ba48884191961bdb5103d5b51b5"


@pytest.mark.mnist
@needs_mnist
def test_subset_comes_from_the_first_5848_training_images_and_never_from_the_test_images():
    full, subset = load_mnist("mnist", FULL), load_mnist()
    place = {image.numpy().tobytes(): index for index, image in enumerate(full.train_images)}
    test = {image.numpy().tobytes() for image in full.test_images}
    images = [image.numpy().tobytes() for image in torch.cat([subset.train_images, subset.test_images])]
    labels = torch.cat([subset.train_labels, subset.test_labels])
    places = [place[image] for image in images]
    assert len(set(places)) == 5000
    assert max(places) == 5847
    assert torch.equal(full.train_labels[places], labels)
    assert test.isdisjoint(images)


@pytest.mark.mnist
@needs_mnist
def test_full_mnist_normalized_has_mean_0_and_variance_1():
    x = normalize(load_mnist("mnist", FULL).train_images)
    assert x.shape == (60000, 1, 28, 28)
    assert x.double().mean().item() == pytest.approx(0, abs=2e-4)  # the constants have four digits
    assert x.double().var().item() == pytest.approx(1, abs=4e-4)


@pytest.mark.parametrize("form", ["plain", "gzip", "dotted", "nested", "environment"])
def test_four_files_are_found_in_every_usual_form(small, form, tmp_path_factory, monkeypatch):
    expected = load_mnist("mnist", small).train_images
    folder = tmp_path_factory.mktemp("other")
    place = folder / "mnist" if form == "nested" else folder
    place.mkdir(exist_ok=True)
    for name in mnist.SHA256:
        content = (small / name).read_bytes()
        if form == "gzip":
            (place / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (place / (name.replace("-idx", ".idx") if form == "dotted" else name)).write_bytes(content)
    if form == "environment":
        monkeypatch.setenv("TORCHCLINIC_DATA", str(folder))
    data = load_mnist("mnist", None if form == "environment" else folder)
    assert torch.equal(data.train_images, expected)
    assert data.test_labels.dtype == torch.int64


def damage(content: bytes, how: str) -> bytes:
    return {
        "truncated": content[:-1],
        "cut in the header": content[:6],
        "empty": b"",
        "too long": content + b"\0",
        "bad magic": b"\0\0\x0d\x03" + content[4:],
        "one pixel off": content[:-1] + bytes([content[-1] ^ 1]),
        "truncated gzip": gzip.compress(content)[:-9],
        "damaged gzip": gzip.compress(content)[:40] + b"\xff" * 40 + gzip.compress(content)[80:],
    }[how]


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("truncated", "is truncated: its header promises 15680 values, 15679 follow"),
        ("cut in the header", "is truncated: its header of 16 bytes ends after 6"),
        ("empty", "is no IDX file of unsigned bytes"),
        ("too long", "is too long"),
        ("bad magic", "is no IDX file of unsigned bytes: it starts with 00000d03"),
        ("one pixel off", "is not the file MNIST has"),
        ("truncated gzip", "truncated or damaged gzip"),
        ("damaged gzip", "truncated or damaged gzip"),
    ],
)
def test_a_damaged_file_gives_one_sentence_that_names_it(small, how, sentence):
    path = small / "train-images-idx3-ubyte"
    path.write_bytes(damage(path.read_bytes(), how))
    with pytest.raises(DataError, match=sentence) as caught:
        load_mnist("mnist", small)
    assert str(path) in str(caught.value)


def test_counts_that_differ_give_one_sentence(small):
    (small / "t10k-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(9, np.uint8)))
    with pytest.raises(DataError, match=r"shape \[10, 28, 28\] and .* \[9\]"):
        load_mnist("mnist", small)


def test_a_missing_file_and_an_empty_folder_are_named(small, tmp_path_factory):
    (small / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="lacks t10k-labels-idx1-ubyte"):
        load_mnist("mnist", small)
    with pytest.raises(DataError, match="holds no MNIST"):
        load_mnist("mnist", tmp_path_factory.mktemp("empty"))


def test_the_cache_is_used_and_what_is_not_there_is_fetched_into_it(small, tmp_path_factory, monkeypatch):
    cache = tmp_path_factory.mktemp("cache")
    asked = []

    def fetch(urls, target, *, sha256, unpack):
        asked.append((urls[0].rsplit("/", 1)[1], sha256, unpack))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((small / target.name).read_bytes())

    monkeypatch.setattr(mnist, "fetch", fetch)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setenv("TORCHCLINIC_DATA", str(cache))  # holds other data, but no MNIST
    for _ in range(2):
        assert len(load_mnist("mnist").train_images) == 20
    assert asked == [(f"{name}.gz", sha256, True) for name, sha256 in mnist.SHA256.items()]


def test_an_unknown_source_is_refused():
    with pytest.raises(InputError, match='"fashion"'):
        load_mnist("fashion")


def test_idx_round_trip_keeps_shape_and_values():
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert torch.equal(idx.parse(idx_bytes(array), "here"), torch.from_numpy(array))
