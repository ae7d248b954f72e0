"""The cart with a pole, and the pendulum, after their equations; `reset` gives (state, info), `step` five values."""

from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

State = NDArray[np.float32]


class Box:
    """Real vectors within bounds."""

    def __init__(self, low: Any, high: Any, shape: tuple[int, ...]) -> None:
        self.low, self.high, self.shape = np.full(shape, low, np.float32), np.full(shape, high, np.float32), shape

    def sample(self) -> State:
        return np.random.uniform(self.low, self.high).astype(np.float32)


class Discrete:
    """The numbers 0 … n - 1."""

    def __init__(self, n: int) -> None:
        self.n, self.shape, self.dtype = n, (), np.dtype(np.int64)

    def sample(self) -> int:
        return int(np.random.randint(self.n))


class Env:
    """What the two have in common."""

    metadata: dict[str, Any]
    steps = 0
    most = 0
    rng: np.random.RandomState
    state: Any
    old = False

    def __init__(self) -> None:
        self.rng, self.metadata, self.spec = (
            np.random.RandomState(0),
            {},
            SimpleNamespace(max_episode_steps=self.most, reward_threshold=0.95 * self.most),
        )
        self.unwrapped, self.reward_range = self, (-np.inf, np.inf)

    def seed(self, seed: int) -> None:
        self.rng = np.random.RandomState(seed)

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        if seed is not None:
            self.seed(seed)
        self.steps, self.state = 0, self.start()
        return self.view() if self.old else (self.view(), {})

    def step(self, action: Any) -> Any:
        self.steps += 1
        reward, ended = self.move(action)
        late = self.steps >= self.most
        return (self.view(), reward, ended or late, {}) if self.old else (self.view(), reward, ended, late, {})

    def start(self) -> Any:
        raise NotImplementedError

    def move(self, action: Any) -> tuple[float, bool]:
        raise NotImplementedError

    def view(self) -> State:
        return np.asarray(self.state, np.float32)

    def render(self, *args: Any, **kwargs: Any) -> None:
        pass

    def close(self) -> None:
        pass


class CartPole(Env):
    """Barto, Sutton and Anderson (1983): 10 N to the left or right, 20 ms a step."""

    most = 500

    def __init__(self) -> None:
        super().__init__()
        self.action_space, self.observation_space = Discrete(2), Box(-4.8, 4.8, (4,))
        self.x_threshold, self.theta_threshold_radians = 2.4, 0.2095

    def start(self) -> Any:
        return self.rng.uniform(-0.05, 0.05, 4)

    def move(self, action: Any) -> tuple[float, bool]:
        x, speed, angle, turning = self.state
        push = (10.0 if int(action) == 1 else -10.0) + 0.05 * turning**2 * np.sin(angle)
        bend = (9.8 * np.sin(angle) - np.cos(angle) * push / 1.1) / (0.5 * (4 / 3 - 0.1 * np.cos(angle) ** 2 / 1.1))
        pull = push / 1.1 - 0.05 * bend * np.cos(angle) / 1.1
        self.state = np.array([x + 0.02 * speed, speed + 0.02 * pull, angle + 0.02 * turning, turning + 0.02 * bend])
        return 1.0, bool(abs(self.state[0]) > 2.4 or abs(self.state[2]) > 0.2095)


class Pendulum(Env):
    """A pendulum that is to be swung up by a small torque."""

    most = 200

    def __init__(self) -> None:
        super().__init__()
        self.action_space, self.observation_space = Box(-2.0, 2.0, (1,)), Box(-8.0, 8.0, (3,))

    def start(self) -> Any:
        return self.rng.uniform([-np.pi, -1.0], [np.pi, 1.0])

    def move(self, action: Any) -> tuple[float, bool]:
        angle, speed = self.state
        torque = float(np.clip(np.asarray(action).reshape(-1)[0], -2.0, 2.0))
        upright = ((angle + np.pi) % (2 * np.pi)) - np.pi
        cost = upright**2 + 0.1 * speed**2 + 0.001 * torque**2
        speed = float(np.clip(speed + (15.0 * np.sin(angle) + 3.0 * torque) * 0.05, -8.0, 8.0))
        self.state = np.array([angle + 0.05 * speed, speed])
        return -float(cost), False

    def view(self) -> State:
        return np.array([np.cos(self.state[0]), np.sin(self.state[0]), self.state[1]], np.float32)


def make(name: str, **options: Any) -> Env:
    """CartPole-v0, -v1 or Pendulum."""
    return Pendulum() if name.startswith("Pendulum") else CartPole()


spaces = SimpleNamespace(Box=Box, Discrete=Discrete)
Wrapper = Env
