"""The record of `propagation`: per layer what was measured and what theory says. Plain frozen data."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from torchclinic.errors import InputError
from torchclinic.report.model import Prose, Section, Table
from torchclinic.report.results import Report, Reported


@dataclass(frozen=True, slots=True)
class LayerSignal:
    """What one layer's output and the gradient arriving there look like. Predictions are None where theory cannot say."""

    layer: str
    kind: str
    role: str  # linear, embedding, activation, norm, dropout, add, scale, shift, cat, opaque
    shape: tuple[int, ...]
    mean_square: float
    variance: float
    predicted_mean_square: float | None
    gradient_mean_square: float | None
    predicted_gradient_mean_square: float | None
    units: int = 0
    dead_units: int = 0  # units that are exactly zero for every sample (and position) of the batch
    zero_share: float | None = None  # activations only
    saturated_share: float | None = None  # sigmoid and tanh: values within 1 % of an asymptote
    samples: int = 0  # values per unit
    expected_dead_share: float | None = None  # by theory, for rectifiers behind zero-mean weights
    rectifier: bool = False  # the activation is zero on its whole left half, and so is its slope
    parameter: str = ""
    fan_in: float | None = None
    weight_mean: float | None = None
    weight_mean_square: float | None = None
    weight_numel: int = 0
    weight_gradient_mean_square: float | None = None
    identical_rows: int = 0
    identical_gradient_rows: int = 0
    followed_by: str = ""  # the activation the output reaches first
    gain: float | None = None  # the gain that activation calls for
    normalized: bool = False  # a normalization lies between this layer and the next weights
    line: str = ""  # of the user's script, where the weights (of the layer before, if it has none) got their first values
    growth: tuple[float, float] | None = None  # of a recurrent state's mean square, in the halves of the sequence
    behind: str = ""  # the layer with weights that its input comes from by operations that are affine in eval mode
    in_branch: bool = False  # the output is added to another branch before the next weights
    bypassed: bool = False  # the input also reaches the output on a way that does not lead through this layer

    @property
    def ratio(self) -> float | None:
        """Measured over predicted mean square."""
        return self.mean_square / self.predicted_mean_square if self.predicted_mean_square else None

    @property
    def gradient_ratio(self) -> float | None:
        if not self.predicted_gradient_mean_square or self.gradient_mean_square is None:
            return None
        return self.gradient_mean_square / self.predicted_gradient_mean_square


@dataclass(frozen=True)
class Propagation(Reported):
    """One row per operation that changes the signal, in the order of the forward pass.

    `depth_lost`: the weight layer, counted from the input (signal) or from the output (gradient), at which either would
    leave float32's reach at the measured rate; the smaller of the two, None if neither drifts.
    """

    absence = ""  # of a run's records; why, the probe that could not be made says
    rows: tuple[LayerSignal, ...]
    batch_size: int
    input_mean_square: float
    signal_depth_lost: float | None
    gradient_depth_lost: float | None
    notes: tuple[str, ...] = ()
    step: int = 0  # optimizer steps taken before; 0 = as initialized

    @property
    def depth_lost(self) -> float | None:
        known = [depth for depth in (self.signal_depth_lost, self.gradient_depth_lost) if depth is not None]
        return min(known, default=None)

    @property
    def weights(self) -> tuple[LayerSignal, ...]:
        """The rows of layers that multiply by weights."""
        return tuple(row for row in self.rows if row.role == "linear")

    def __iter__(self) -> Iterator[LayerSignal]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, layer: int | str) -> LayerSignal:
        if isinstance(layer, int):
            return self.rows[layer]
        found = next((row for row in self.rows if row.layer == layer), None)
        if found is None:
            raise InputError(f"No layer {layer!r} was seen; the layers are {', '.join(row.layer for row in self.rows)}.")
        return found

    def to_dict(self) -> dict[str, Any]:
        return {
            "rows": [asdict(row) for row in self.rows],
            "batch_size": self.batch_size,
            "input_mean_square": self.input_mean_square,
            "depth_lost": self.depth_lost,
            "signal_depth_lost": self.signal_depth_lost,
            "gradient_depth_lost": self.gradient_depth_lost,
            "notes": list(self.notes),
        }

    def report(self) -> Report:
        columns = ("layer", "kind", "mean square", "theory", "gradient m.s.", "theory (gradient)", "dead", "units")
        rows = tuple(
            (
                r.layer,
                r.kind,
                r.mean_square,
                r.predicted_mean_square,
                r.gradient_mean_square,
                r.predicted_gradient_mean_square,
                r.dead_units if r.units else None,
                r.units or None,
            )
            for r in self.rows
        )
        lost = "no loss of signal in sight" if self.depth_lost is None else f"lost at layer {self.depth_lost:.0f}"
        prose = Prose("\n\n".join((f"Extrapolated at the measured rates: {lost}.", *self.notes)))
        table = Table(columns, rows, "Empty theory cells: theory cannot say; it starts again from the measured value.")
        return Report("Signal propagation", (Section("Layer by layer", (table, prose)),), summary=lost)
