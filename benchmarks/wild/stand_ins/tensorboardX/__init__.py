# ruff: noqa: N999
"""Writes no logs."""

from absorbing import Absorbing


class SummaryWriter(Absorbing):
    """Takes every call."""
