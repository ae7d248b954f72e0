"""The same as `gym`."""

from gym import Box, Discrete, Env, make, spaces

__all__ = ["Box", "Discrete", "Env", "make", "spaces"]
