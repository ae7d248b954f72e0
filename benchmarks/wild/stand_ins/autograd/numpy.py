"""NumPy itself."""

from numpy import *  # noqa: F403
