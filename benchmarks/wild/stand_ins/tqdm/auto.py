"""Iterates without a bar."""

from tqdm import tqdm, trange

__all__ = ["tqdm", "trange"]
