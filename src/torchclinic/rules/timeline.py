"""What the window rules ask of a run: typical values of a layer, and the shape of the loss curve."""

import math
from collections.abc import Callable, Iterator
from statistics import fmean, median, stdev

from torchclinic.observe.records import BackwardPass, Learning, LossDirection, OptimizerRecord, RunRecord
from torchclinic.observe.records.layers import LayerSeries, Window
from torchclinic.rules.rule import Undecided
from torchclinic.vocabulary import DENSE_LAYERS, LOSSES

MATRICES = DENSE_LAYERS | {"Bilinear", "RNN", "LSTM", "GRU"}


def require(record: RunRecord, steps: int) -> None:
    """Raises: Undecided where the run is too short, or none of its layers could be measured."""
    if record.steps < steps:
        raise Undecided(f"the run has {record.steps} steps; it takes {steps} to tell")
    if not record.layers:
        raise Undecided("no layer with weights was measured over several steps")


def models(record: RunRecord, kinds: frozenset[str] = frozenset()) -> Iterator[list[LayerSeries]]:
    """The layers of each model in the order of the forward pass; of these `kinds` only, if any are given."""
    for name in dict.fromkeys(layer.model for layer in record.layers):
        yield [layer for layer in record.layers if layer.model == name and (not kinds or layer.kind in kinds)]


def typical(windows: list[Window], number: Callable[[Window], float]) -> float:
    """The median over the finite windows; NaN where there is none."""
    values = [value for window in windows if math.isfinite(value := number(window))]
    return median(values) if values else math.nan


def relative_gradient(window: Window) -> float:
    """Norm of the gradient over the norm of the weight."""
    return window.gradient / window.weight if window.weight else math.nan


def update(window: Window) -> float:
    """Norm of a step's change over the norm of the weight."""
    return window.update


def reach(layers: list[LayerSeries], steps: int) -> tuple[float, float]:
    """How far typical steps, all in one direction, bring weights that get gradients: the largest sum of relative updates,
    and the fall of the loss, to first order, if that direction is downhill."""
    far, fall = 0.0, 0.0
    for windows in (layer.windows for layer in layers):
        moved = typical(windows, update) * steps
        if typical(windows, relative_gradient) > 0 and math.isfinite(moved):
            far = max(far, moved)
            fall += moved * typical(windows, lambda window: window.gradient * window.weight)
    return far, fall


def sole_optimizer(record: RunRecord) -> OptimizerRecord | None:
    """The only optimizer that takes steps; None where several do."""
    stepping = [optimizer for optimizer in record.optimizers if optimizer.steps]
    return stepping[0] if len(stepping) == 1 else None


def sole_stream(record: RunRecord, steps: int) -> Learning:
    """What the one loss with targets makes of its batches.

    Raises: Undecided where the run is too short, or several optimizers, or losses with targets, make it ambiguous.
    """
    found = record.of(Learning)
    if record.steps < steps:
        raise Undecided(f"the run has {record.steps} steps; it takes {steps} to tell")
    if sole_optimizer(record) is None:
        raise Undecided("several optimizers step, and what each is to reach is not known")
    if len(found) != 1 or found[0].several:
        raise Undecided("several losses have targets" if found else "no loss was seen that compares outputs with targets of data")
    return found[0]


def losses(record: RunRecord) -> list[float]:
    return [value for _, value in record.losses_seen]


def losses_around(record: RunRecord, layer: LayerSeries, index: int) -> tuple[float, float]:
    """The loss before a window of the layer (median of its last three values), and in the five steps after it."""
    first, last = layer.windows[index - 1].step if index else 0, layer.windows[index].step
    before = [value for step, value in record.losses_seen if step <= first and math.isfinite(value)][-3:]
    near = [value for step, value in record.losses_seen if last <= step <= last + 5]
    after = [value if math.isfinite(value) else math.inf for value in near]
    return median(before) if before else math.inf, median(after) if after else 0.0


def parts(values: list[float], number: int) -> list[float]:
    """The medians of `number` consecutive parts of the curve; non-finite values count as infinite."""
    finite = [value if math.isfinite(value) else math.inf for value in values]
    size = len(finite) / number
    return [median(finite[round(i * size) : max(round((i + 1) * size), round(i * size) + 1)]) for i in range(number)]


def still_falls(record: RunRecord, *, sure: float = 3.0, least: float = 0.01) -> bool:
    """Whether the loss was lower in the last quarter than in the one before, beyond `sure` standard errors and `least` of it."""
    values = [value for value in losses(record)[len(record.losses_seen) // 2 :] if math.isfinite(value)]
    before, after = values[: len(values) // 2], values[len(values) // 2 :]
    if len(before) < 2:
        return False
    fall = fmean(before) - fmean(after)
    noise = math.hypot(stdev(before), stdev(after)) / math.sqrt(len(before))
    return fall > max(sure * noise, least * abs(fmean(before)))


def late_loss(record: RunRecord) -> float:
    """The mean of the last third, where what is minimized is one error and nothing else; NaN otherwise."""
    directions = record.of(LossDirection)
    pairs = [pair for direction in directions for pair in zip(direction.roots, direction.errors, strict=True)]
    if len(directions) != 1 or not all(math.isclose(*pair, rel_tol=1e-3) for pair in pairs):
        return math.nan
    values = losses(record)
    late = [value if math.isfinite(value) else math.inf for value in values[2 * len(values) // 3 :]]
    return fmean(late) if late else math.nan


def measures_errors(record: RunRecord) -> bool:
    """Every backward pass seen starts from a loss of torch.nn.functional, called or written by hand: it is meant to fall."""
    roots = record.of(BackwardPass)
    return bool(roots) and all(root.root_operation in LOSSES or bool(root.error) for root in roots)


def chance(record: RunRecord) -> float:
    """The loss of guessing all classes alike; NaN where no single measure of error is known to have one."""
    found = [direction.chance for direction in record.of(LossDirection)]
    return found[0] if len(found) == 1 else math.nan


def movement(layer: LayerSeries, at_once: bool) -> float:
    """Typical relative update after the first window, or the largest of a single step while the loss was finite."""
    later = layer.windows[1:]
    if at_once:
        return max((window.leap for window in later if math.isfinite(window.leap)), default=math.nan)
    return typical(later, update)
