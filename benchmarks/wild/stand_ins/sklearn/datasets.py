"""Toy data of two and more dimensions, made as the names say."""

from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

Pair = tuple[NDArray[np.float64], NDArray[np.int64]]


def make_moons(n_samples: int = 100, noise: float = 0.0, random_state: int | None = None, shuffle: bool = True) -> Pair:
    """Two half circles that reach into each other."""
    rng = np.random if random_state is None else np.random.RandomState(random_state)
    first = n_samples // 2
    outer, inner = np.linspace(0, np.pi, first), np.linspace(0, np.pi, n_samples - first)
    points = np.concatenate([np.c_[np.cos(outer), np.sin(outer)], np.c_[1 - np.cos(inner), 0.5 - np.sin(inner)]])
    labels = np.r_[np.zeros(first, int), np.ones(n_samples - first, int)]
    order = rng.permutation(n_samples) if shuffle else np.arange(n_samples)
    return (points + (noise or 0.0) * rng.normal(size=points.shape))[order], labels[order]


def make_circles(n_samples: int = 100, noise: float = 0.0, factor: float = 0.8, random_state: int | None = None) -> Pair:
    """A circle in a circle."""
    rng = np.random if random_state is None else np.random.RandomState(random_state)
    angle = rng.uniform(0, 2 * np.pi, n_samples)
    labels = rng.permutation(np.arange(n_samples) % 2)
    radius = np.where(labels == 1, factor, 1.0)
    points = np.c_[radius * np.cos(angle), radius * np.sin(angle)]
    return points + (noise or 0.0) * rng.normal(size=points.shape), labels


def make_swiss_roll(n_samples: int = 100, noise: float = 0.0, random_state: int | None = None) -> Pair:
    """A rolled sheet in three dimensions."""
    rng = np.random if random_state is None else np.random.RandomState(random_state)
    t = 1.5 * np.pi * (1 + 2 * rng.uniform(size=n_samples))
    points = np.c_[t * np.cos(t), 21 * rng.uniform(size=n_samples), t * np.sin(t)]
    return points + noise * rng.normal(size=points.shape), t


def load_iris() -> SimpleNamespace:
    """Three clouds of fifty points in four dimensions, with the means and spreads of the three species of iris."""
    rng = np.random.RandomState(0)
    means = np.array([[5.0, 3.4, 1.5, 0.2], [5.9, 2.8, 4.3, 1.3], [6.6, 3.0, 5.6, 2.0]])
    spreads = np.array([[0.35, 0.38, 0.17, 0.1], [0.52, 0.31, 0.47, 0.2], [0.64, 0.32, 0.55, 0.27]])
    data = np.concatenate([mean + spread * rng.normal(size=(50, 4)) for mean, spread in zip(means, spreads, strict=True)])
    return SimpleNamespace(data=data, target=np.repeat(np.arange(3), 50))
