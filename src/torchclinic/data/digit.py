"""Any picture of a digit -> 28x28 as MNIST has it: white ink on black, 20x20 box, centre of mass in the middle.

A picture from MNIST comes back as it was, but for ink too faint to count.

Reference: LeCun, Bottou, Bengio, Haffner 1998, "Gradient-based learning applied to document recognition", sec. III.A.
"""

import struct
import warnings
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from torchclinic.errors import InputError
from torchclinic.units import format_count, format_nbytes

SIDE, BOX = 28, 20  # pixels
CENTRE = 14  # the pixel index to which MNIST rounds the centre of mass
MOST_PIXELS = 50_000_000
MOST_NBYTES = 100 * 2**20
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO")  # none that starts another program
NOISE = 4  # median absolute deviations of the border that count as background
MIN_CONTRAST = 8 / 255
FULL_INK = 0.95  # ink as dark as that is left as it is; fainter ink is stretched to 1

Gray = NDArray[np.float64]


def read_digit(path: Path) -> Tensor:
    """The digit in an image file of any size, mode, polarity and transparency: uint8 [28, 28], ink 255, background 0.

    The background is the median colour of the border; ink is what differs from it.

    Raises: InputError if the file is no image, empty, damaged, too large, or shows a single colour.
    """
    colours = _read_colours(path)
    ink = find_ink(colours)
    if ink is None:
        raise InputError(f"{path} shows no digit: all its pixels have nearly the same colour.")
    return torch.from_numpy(centre(ink))


def picture_text(image: Tensor) -> str:
    """uint8 [28, 28] as 14 lines of block characters, two rows to a line."""
    dark = (image >= 96).tolist()
    blocks = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}
    pairs = zip(dark[::2], dark[1::2], strict=True)
    return "\n".join("".join(blocks[pair] for pair in zip(top, bottom, strict=True)) for top, bottom in pairs)


def find_ink(colours: Gray) -> Gray | None:
    """Ink from 0 to 1, [H, W], in a picture [H, W, channels]; None if there is none."""
    border = np.concatenate([colours[0], colours[-1], colours[:, 0], colours[:, -1]])
    background = np.median(border, axis=0)
    noise = NOISE * np.median(np.abs(border - background).max(axis=1))
    distance = np.abs(colours - background).max(axis=2) - noise
    return None if distance.max() < MIN_CONTRAST else _stretch(np.clip(distance, 0, 1))


def centre(ink: Gray) -> NDArray[np.uint8]:
    """Scale the inked part of [H, W] into 20x20, keeping its proportions, and put its centre of mass in the middle."""
    rows, columns = (np.flatnonzero((ink > MIN_CONTRAST).any(axis=axis)) for axis in (1, 0))
    box = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = BOX / max(box.shape)
    height, width = (max(1, round(side * scale)) for side in box.shape)
    if (height, width) != box.shape:
        picture = Image.fromarray(box.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
        box = np.asarray(picture, dtype=np.float64)
    box = _stretch(box)
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (_offset(box.sum(axis=axis), size) for axis, size in ((1, height), (0, width)))
    canvas[top : top + height, left : left + width] = np.rint(box * 255)
    return canvas


def _stretch(ink: Gray) -> Gray:
    return ink if ink.max() >= FULL_INK else ink / ink.max()


def _offset(mass: Gray, size: int) -> int:
    """Where a box of `size` pixels starts so that its centre of mass comes closest to the middle."""
    middle = float((mass * (np.arange(size))).sum() / mass.sum())
    return int(np.clip(round(CENTRE - middle), 0, SIDE - size))


def _read_colours(path: Path) -> Gray:
    """[H, W, channels] from 0 to 1; a transparent picture lies on black or white, whichever shows more of it."""
    picture = _open(path)
    if picture.mode.startswith(("I", "F")):  # 16 and 32 bit: the range used is the range meant
        values = np.nan_to_num(np.asarray(picture, dtype=np.float64))
        scaled: Gray = (values[:, :, None] - values.min()) / max(float(np.ptp(values)), 1e-12)
        return scaled
    if not picture.has_transparency_data:
        return np.asarray(picture.convert("RGB"), dtype=np.float64) / 255
    layers = np.asarray(picture.convert("RGBA"), dtype=np.float64) / 255
    colour, opacity = layers[:, :, :3], layers[:, :, 3:]
    grounds = [colour * opacity + ground * (1 - opacity) for ground in (0.0, 1.0)]
    return max(grounds, key=lambda laid: laid.std(axis=(0, 1)).max())


def _open(path: Path) -> Image.Image:
    """The first picture in the file, upright."""
    try:
        if not path.is_file():
            raise InputError(f"{path} {'is no file' if path.exists() else 'does not exist'}: give an image file.")
        nbytes = path.stat().st_size
        if not 0 < nbytes <= MOST_NBYTES:
            size = "is empty" if nbytes == 0 else f"has {format_nbytes(nbytes)}, more than {format_nbytes(MOST_NBYTES)}"
            raise InputError(f"{path} {size}: give an image file.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of what is refused, or repaired, anyway
            Image.init()
            with Image.open(path, formats=[name for name in FORMATS if name in Image.OPEN]) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    shape = f"{format_count(picture.width)} x {format_count(picture.height)} pixels"
                    raise InputError(f"{path} has {shape}; at most {format_count(MOST_PIXELS)} in all are read.")
                return ImageOps.exif_transpose(picture)
    except Image.DecompressionBombError as error:
        raise InputError(f"{path} would unpack to far more than {format_count(MOST_PIXELS)} pixels.") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{path} is no image in a format that is read ({', '.join(FORMATS)}).") from error
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is a damaged image or cannot be read: {error}.") from error
