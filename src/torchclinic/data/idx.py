"""The IDX file format of MNIST: plain or gzip, read whole, checked before it is believed.

bytes 0-1  zero        byte 2  type (8 = unsigned byte)        byte 3  number of dims
then one big-endian 32-bit size per dim, then the values, last dim fastest
"""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from torchclinic.errors import DataError

UNSIGNED_BYTE = 8


def read_content(path: Path) -> bytes:
    """The decompressed content of `path`."""
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is a truncated or damaged gzip file; fetch it again.") from error
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}.") from error


def parse(content: bytes, place: object) -> Tensor:
    """uint8 tensor with the shape the header states.

    Raises: DataError if the magic number is not that of unsigned bytes or the values do not fill the shape.
    """
    if len(content) < 4 or content[:2] != b"\x00\x00" or content[2] != UNSIGNED_BYTE or content[3] == 0:
        raise DataError(f"{place} is no IDX file of unsigned bytes: it starts with {content[:4].hex() or 'nothing'}.")
    dims = content[3]
    start = 4 + 4 * dims
    if len(content) < start:
        raise DataError(f"{place} is truncated: its header of {start} bytes ends after {len(content)}.")
    shape = struct.unpack(f">{dims}I", content[4:start])
    expected, found = math.prod(shape), len(content) - start
    if found != expected:
        wrong = "truncated" if found < expected else "too long"
        raise DataError(f"{place} is {wrong}: its header promises {expected} values, {found} follow.")
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy())
