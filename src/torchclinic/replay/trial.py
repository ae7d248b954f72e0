"""What one replay of a training showed."""

from dataclasses import asdict, dataclass, field
from typing import Any

from torchclinic.replay.scores import Series


@dataclass(slots=True)
class Trial:
    """What one replay showed. `losses` and `scores` have one entry per backward pass."""

    change: str = ""
    seed: int = 0
    losses: list[float] = field(default_factory=list)
    scores: Series = field(default_factory=Series)
    evaluation: float | None = None
    evaluation_kind: str = ""
    backwards: int = 0
    steps: int = 0
    acted: int = 0  # how often the change found something to do
    first_seconds: float = 0.0  # until the first backward pass
    seconds: float = 0.0
    ending: str = "finished"  # finished | stopped | time | exited | raised | killed
    note: str = ""
    stale_reads: list[str] = field(default_factory=list)  # files read that the run before had written
    reads_back: bool = False  # it read a file that it had written itself

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_dict(content: dict[str, Any]) -> "Trial":
        return Trial(**{**content, "scores": Series(**content["scores"])})
