"""Data-parallel training."""

from dataclasses import dataclass


@dataclass(slots=True)
class SamplerUse:
    """A shuffling distributed sampler."""

    line: str
    replicas: int
    epochs: int  # times it was iterated for training
    repeated: int  # of them, with the epoch it had before
    set_epoch_calls: int = 0


@dataclass(slots=True)
class WrapperBypass:
    """The inner module of a data-parallel wrapper trained without its wrapper."""

    line: str
    step: int
    model: str
    wrapper: str
    replicas: int
    steps: int
    wrapped_calls: int
