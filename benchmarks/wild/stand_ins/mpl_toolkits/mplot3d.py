"""Draws nothing."""

from absorbing import Absorbing as Axes3D

__all__ = ["Axes3D"]
