"""Data-parallel training."""

from dataclasses import dataclass

from torchclinic.observe.records.record import Absence, Record


@dataclass(slots=True)
class SamplerUse(Record, absence=Absence.IN_TRAINING):
    """A shuffling distributed sampler."""

    line: str
    replicas: int
    epochs: int  # times it was iterated for training
    repeated: int  # of them, with the epoch it had before
    set_epoch_calls: int = 0


@dataclass(slots=True)
class WrapperBypass(Record, absence=Absence.IN_TRAINING):
    """The inner module of a data-parallel wrapper trained without its wrapper."""

    line: str
    step: int
    model: str
    wrapper: str
    replicas: int
    steps: int
    wrapped_calls: int


@dataclass(slots=True)
class ReplicaComparison(Record, absence=Absence.IN_TRAINING):
    """What rank 0 and the rank most unlike it held before their steps; `rank` 0: none holds a model of the same shapes."""

    rank: int = 0
    replicas: int = 1
    missing: int = 0  # ranks whose notes could not be read
    line: str = ""
    step: int = 0  # the first look at which they differed
    looks: int = 0
    parameters: int = 0
    differing: int = 0  # at the last look
    shared: int = 0  # of them, with the same gradient on both ranks after an exchange
    wrapped: int = 0  # of them, with a data-parallel wrapper that is to keep them equal
    divided: bool = False  # a distributed sampler deals the training data out to the ranks
    rejoined: bool = False  # apart at one look, equal at a later one
    unseen: bool = False  # exchanges that no look followed
    example: str = ""
    difference: float = 0.0  # as a share of the parameter's largest element
