"""Pictures of digits: whatever the file, the model sees what MNIST would have shown it."""

import random
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from torchclinic.data import load_mnist, picture_text, read_digit
from torchclinic.data.digit import MOST_PIXELS
from torchclinic.errors import InputError


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return load_mnist().test_images[:100].numpy()


def seen(image: Image.Image, folder: Path, name: str = "digit.png", **options: object) -> np.ndarray:
    image.save(folder / name, **options)
    return read_digit(folder / name).numpy()


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Root mean square, in units of full ink, over that of `b`."""
    return float(np.sqrt(np.square(a / 255 - b / 255).mean() / np.square(b / 255).mean()))


def test_a_picture_from_mnist_comes_back_as_it_was(digits, tmp_path):
    read = [seen(Image.fromarray(digit), tmp_path) for digit in digits]
    same = [np.array_equal(*pair) for pair in zip(read, digits, strict=True)]
    assert np.mean(same) > 0.9  # the others lose ink below the threshold of visibility
    assert max(difference(*pair) for pair in zip(read, digits, strict=True)) < 0.5


def test_polarity_does_not_matter(digits, tmp_path):
    for digit in digits[:20]:
        assert np.array_equal(seen(Image.fromarray(digit), tmp_path), seen(Image.fromarray(255 - digit), tmp_path))


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "LA", "I;16", "I", "F", "YCbCr", "HSV", "PA"])
def test_every_mode_shows_the_same_digit(digits, tmp_path, mode):
    ink = np.kron((digits[0] > 127).astype(np.uint8) * 255, np.ones((8, 8), np.uint8))
    gray = Image.fromarray(ink)
    name = {"CMYK": "d.jpg", "YCbCr": "d.jpg", "F": "d.tiff", "I": "d.tiff", "HSV": "d.tiff", "PA": "d.png"}.get(mode, "d.png")
    if mode in ("I;16", "I"):
        image = Image.fromarray(ink.astype(np.uint16) * 100 if mode == "I;16" else ink.astype(np.int32) * 100)
    elif mode == "HSV":
        image = gray.convert("RGB")
    elif mode == "PA":
        image = gray.convert("P")
        image.info["transparency"] = 255
    else:
        image = gray.convert(mode)
    assert difference(seen(image, tmp_path, name), seen(gray, tmp_path)) < (0.1 if name == "d.jpg" else 1e-9)


@pytest.mark.parametrize("colour", [0, 255, 128])
def test_ink_of_any_colour_on_a_transparent_ground_is_found(digits, tmp_path, colour):
    image = Image.merge("LA", (Image.new("L", (28, 28), colour), Image.fromarray(digits[3])))
    assert difference(seen(image, tmp_path), digits[3]) < 0.02


def test_a_transparent_colour_of_a_palette_is_no_ink(tmp_path):
    image = Image.new("P", (40, 40), 0)
    image.putpalette([200, 10, 10, 0, 0, 0])
    ImageDraw.Draw(image).rectangle((18, 8, 22, 30), fill=1)
    read = seen(image, tmp_path, transparency=0)
    assert read.max() == 255
    assert (read > 0).any(axis=1).sum() == 20


def test_colours_of_the_same_brightness_are_told_apart(digits, tmp_path):
    ink = digits[5] > 127
    colours = np.where(ink[:, :, None], np.array([200, 0, 0]), np.array([0, 102, 0])).astype(np.uint8)
    binary = Image.fromarray((ink * 255).astype(np.uint8))
    assert difference(seen(Image.fromarray(colours), tmp_path), seen(binary, tmp_path)) < 0.02


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    index=st.integers(0, 99),
    scale=st.integers(1, 6),
    margins=st.tuples(*[st.integers(4, 60)] * 4),
    dark=st.integers(0, 90),
    light=st.integers(160, 255),
    inverse=st.booleans(),
)
def test_size_place_and_contrast_do_not_matter(digits, tmp_path, index, scale, margins, dark, light, inverse):
    digit = np.kron(digits[index], np.ones((scale, scale)))
    top, bottom, left, right = margins
    canvas = np.pad(digit, ((top, bottom), (left, right))) / 255
    canvas = dark + (light - dark) * (1 - canvas if inverse else canvas)
    read = seen(Image.fromarray(np.rint(canvas).astype(np.uint8)), tmp_path)
    # where the centre of mass lies between two pixels, rounding the contrast decides: one pixel is as good as the other
    shifts = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    assert min(difference(np.roll(read, shift, (0, 1)), digits[index]) for shift in shifts) < 0.35


def test_uneven_light_and_noise_do_not_hide_the_digit(digits, tmp_path):
    rng = np.random.default_rng(0)
    photo = np.full((120, 160), 180.0) + np.linspace(-15, 15, 160) + 6 * rng.standard_normal((120, 160))
    photo[20:76, 40:96] -= 0.5 * np.kron(digits[7], np.ones((2, 2)))
    read = seen(Image.fromarray(photo.clip(0, 255).astype(np.uint8)), tmp_path)
    assert difference(read, digits[7]) < 0.6


def test_a_rotated_photograph_is_turned_upright(digits, tmp_path):
    upright = Image.fromarray(digits[2]).resize((56, 56))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    turned = seen(upright.rotate(90), tmp_path, exif=exif)
    assert np.array_equal(turned, seen(upright, tmp_path))


@pytest.mark.parametrize("shape", [(1, 400), (400, 1), (3, 3), (2000, 30)])
def test_odd_shapes_are_read(tmp_path, shape):
    picture = np.zeros(shape, np.uint8)
    picture[shape[0] // 2, shape[1] // 2] = 255
    assert seen(Image.fromarray(picture), tmp_path).max() == 255


def test_the_ink_lies_in_a_20_pixel_box_with_its_centre_of_mass_in_the_middle(tmp_path):
    image = Image.new("L", (300, 200), 255)
    ImageDraw.Draw(image).polygon([(20, 20), (90, 20), (20, 190)], fill=0)
    read = seen(image, tmp_path).astype(float)
    rows, columns = np.flatnonzero(read.any(axis=1)), np.flatnonzero(read.any(axis=0))
    assert len(rows) == 20
    assert len(columns) in (8, 9)
    centre = [(read.sum(axis=axis) * np.arange(28)).sum() / read.sum() for axis in (1, 0)]
    assert np.abs(np.array(centre) - 14).max() <= 0.5


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def good_png(folder: Path) -> bytes:
    Image.fromarray(load_mnist().test_images[0].numpy()).save(folder / "good.png")
    return (folder / "good.png").read_bytes()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"hello, I am text", "is no image in a format that is read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is no image in a format that is read"),
        (png_that_claims(MOST_PIXELS // 10, 11), "pixels; at most 50,000,000"),
        (png_that_claims(2**31 - 1, 2**31 - 1), "more than 50,000,000 pixels"),
        (png_that_claims(100, 100), "is a damaged image"),
    ],
    ids=["empty", "text", "postscript", "large", "bomb", "truncated"],
)
def test_what_is_no_picture_is_refused_in_one_sentence(tmp_path, content, sentence):
    path = tmp_path / "file.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match=sentence) as caught:
        read_digit(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_absent_files_folders_and_blank_pictures_are_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_digit(tmp_path / "absent.png")
    with pytest.raises(InputError, match="is no file"):
        read_digit(tmp_path)
    with pytest.raises(InputError, match="shows no digit"):
        seen(Image.new("RGB", (50, 50), (90, 90, 90)), tmp_path)


def test_a_file_too_large_to_be_a_picture_is_not_even_opened(tmp_path):
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(2**30)  # takes no room on disk
    with pytest.raises(InputError, match=r"has 1\.0 GiB"):
        read_digit(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "tiff", "webp", "ppm"])
def test_damaged_files_are_read_or_refused_and_never_crash(tmp_path, suffix):
    rng = random.Random(suffix)
    path = tmp_path / f"d.{suffix}"
    Image.fromarray(load_mnist().test_images[0].numpy()).convert("RGB").save(path)
    good = path.read_bytes()
    for _ in range(60):
        content = bytearray(good[: rng.randrange(1, len(good))] if rng.random() < 0.3 else good)
        for _ in range(rng.randrange(1, 6)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        path.write_bytes(content)
        with suppress(InputError):  # anything else fails the test
            assert read_digit(path).shape == (28, 28)


def test_the_text_picture_shows_every_dark_pixel():
    image = torch.zeros(28, 28, dtype=torch.uint8)
    image[0, 3] = image[1, 4] = image[0, 5] = image[1, 5] = 255
    lines = picture_text(image).split("\n")
    assert len(lines) == 14
    assert lines[0][:7] == "   ▀▄█ "
    assert all(len(line) == 28 for line in lines)
