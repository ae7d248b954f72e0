"""Image folders with everything that can be wrong with them."""

import numpy as np
import pytest
import torch
from PIL import Image

from torchclinic.data import load_mnist
from torchclinic.data.image_folder import digits_as_pictures, load_image_folder, read_picture
from torchclinic.errors import DataError, InputError


def draw(path, colour=(255, 0, 0), size=(20, 16), mode="RGB", noise=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((size[1], size[0], 3), colour, dtype=np.uint8)
    if noise is not None:
        pixels ^= np.random.default_rng(noise).integers(0, 64, pixels.shape, dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return path


def fill(folder, counts, start=0):
    for label, (name, count) in enumerate(counts.items()):
        for index in range(count):
            draw(folder / name / f"{index}.png", (255 * (label == 0), 255 * (label == 1), 0), noise=start + 97 * label + index)


def test_train_and_val_folders_are_the_split(tmp_path):
    fill(tmp_path / "train", {"ants": 3, "bees": 4})
    fill(tmp_path / "val", {"ants": 2, "bees": 1}, start=1000)
    data = load_image_folder(tmp_path, 12)
    assert data.classes == ("ants", "bees")
    assert data.counts == ((3, 2), (4, 1))
    assert data.train_images.shape == (7, 3, 12, 12)
    assert data.train_images.dtype == torch.uint8
    red = data.train_images[data.train_labels == 0].float().mean((0, 2, 3))
    assert red[0] > red[1]
    assert not data.notes


def test_without_val_a_share_of_each_class_is_held_out_and_the_seed_decides_which(tmp_path):
    fill(tmp_path, {"a": 8, "b": 12})
    first, again, other = (load_image_folder(tmp_path, 8, seed=seed) for seed in (0, 0, 1))
    assert first.counts == ((6, 2), (9, 3))
    assert torch.equal(first.test_images, again.test_images)
    assert not torch.equal(first.test_images, other.test_images)
    assert "held out" in first.notes[0]


def test_corrupt_pictures_and_empty_classes_are_left_out_and_said(tmp_path):
    fill(tmp_path, {"a": 8, "b": 8})
    (tmp_path / "empty").mkdir()
    whole = (tmp_path / "a" / "0.png").read_bytes()
    (tmp_path / "a" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "b" / "text.jpg").write_text("no picture")
    (tmp_path / "b" / "notes.txt").write_text("not looked at")
    data = load_image_folder(tmp_path, 8)
    assert data.classes == ("a", "b")
    assert sum(map(sum, data.counts)) == 16
    notes = " ".join(data.notes)
    assert "Classes without pictures are left out: empty" in notes
    assert "cut.png is not a readable picture" in notes
    assert "text.jpg" in notes


def test_training_pictures_that_are_also_held_out_do_not_train(tmp_path):
    fill(tmp_path / "train", {"a": 4, "b": 4})
    fill(tmp_path / "val", {"a": 2, "b": 2})  # the same files again
    data = load_image_folder(tmp_path, 8)
    assert data.counts == ((2, 2), (2, 2))
    assert "4 training pictures are also held out" in data.notes[0]


def test_equal_pictures_are_never_split(tmp_path):
    fill(tmp_path, {"a": 6, "b": 6})
    for index in range(6):
        (tmp_path / "a" / f"copy{index}.png").write_bytes((tmp_path / "a" / f"{index}.png").read_bytes())
    data = load_image_folder(tmp_path, 8)
    train = {image.numpy().tobytes() for image in data.train_images}
    assert not any(image.numpy().tobytes() in train for image in data.test_images)


def test_unbalanced_classes_are_said_with_their_counts(tmp_path):
    fill(tmp_path, {"a": 4, "b": 20})
    data = load_image_folder(tmp_path, 8)
    assert data.unbalanced
    assert "unbalanced (a 3, b 15 to train on)" in data.notes[-1]
    assert data.majority == 5 / 6


@pytest.mark.parametrize(
    ("counts", "message"),
    [({"a": 3}, "at least two classes.*only 'a'"), ({}, "at least two classes.*none"), ({"a": 3, "b": 0}, "only 'a'")],
)
def test_fewer_than_two_classes_are_refused(tmp_path, counts, message):
    for name in counts:
        (tmp_path / name).mkdir()
    fill(tmp_path, counts)
    with pytest.raises(DataError, match=message):
        load_image_folder(tmp_path, 8)


def test_a_class_that_cannot_be_read_on_one_side_is_refused(tmp_path):
    fill(tmp_path / "train", {"a": 3, "b": 3})
    fill(tmp_path / "val", {"a": 3}, start=1000)
    with pytest.raises(DataError, match="'b' has no readable picture held out"):
        load_image_folder(tmp_path, 8)


def test_a_folder_that_is_none_and_sizes_that_cannot_work_are_refused(tmp_path):
    with pytest.raises(DataError, match="is no folder"):
        load_image_folder(tmp_path / "none", 8)
    with pytest.raises(InputError, match="size = 3"):
        load_image_folder(tmp_path, 3)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "CMYK", "I;16"])
@pytest.mark.parametrize("size", [(20, 16), (300, 9), (8, 8), (1, 1)])
def test_pictures_of_any_mode_and_shape_become_square_rgb(tmp_path, mode, size):
    path = tmp_path / "x.tif"
    path.parent.mkdir(exist_ok=True)
    if mode == "I;16":
        Image.fromarray(np.full(size[::-1], 3000, dtype=np.uint16)).save(path)
    else:
        draw(path, size=size, mode=mode)
    assert read_picture(path, 8).shape == (3, 8, 8)


def test_the_crop_is_the_centre_and_orientation_is_obeyed(tmp_path):
    pixels = np.zeros((70, 140, 3), np.uint8)
    pixels[:, 65:75] = 255  # a white line down the middle
    Image.fromarray(pixels).save(tmp_path / "x.png")
    read = read_picture(tmp_path / "x.png", 28)[0].float().mean(0)
    assert (read[12:16] == 255).all()
    assert (read[:11] == 0).all()
    assert torch.allclose(read, read.flip(0), atol=2)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.fromarray(pixels).save(tmp_path / "y.png", exif=exif)
    turned = read_picture(tmp_path / "y.png", 28)[0].float()
    assert (turned.mean(1)[12:16] == 255).all()


def test_digits_become_grey_pictures_with_so_many_per_class():
    data = digits_as_pictures(load_mnist(), 32, 3)
    assert data.counts[0] == (3, 100)
    assert data.train_images.shape == (30, 3, 32, 32)
    assert torch.equal(data.train_images[:, 0], data.train_images[:, 2])
    assert not data.mirrored
