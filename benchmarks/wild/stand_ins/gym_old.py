"""The same as `gym`, with the calls of its versions before 0.26: `reset` gives the state, `step` four values."""

from typing import Any

import gym
from gym import Box, Discrete, Env, spaces

__all__ = ["Box", "Discrete", "Env", "make", "spaces"]


def make(name: str, **options: Any) -> Env:
    """CartPole-v0, -v1 or Pendulum."""
    made = gym.make(name)
    made.old = True
    return made
