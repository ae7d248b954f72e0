"""Errors that are clamped before they become a loss: read by OPT006."""

from statistics import median

from torchclinic.observe.records import ClampedError
from torchclinic.rules.timeline import parts

FIX = "F.smooth_l1_loss(prediction, target) in place of the clamp: it clips the gradient of an error, not the error."


def unreached(
    record: ClampedError, *, least_share: float = 0.05, part: float = 0.5, min_losses: int = 50, still: float = 0.1
) -> tuple[str, dict[str, float]] | None:
    """What lies beyond the limits, and its numbers, where it keeps the loss from falling.

    `part`: in half of the steps most of the squared error has no gradient. That is also so where a loss ignores outliers on
    purpose; but then what is left of the errors falls: by `still` of the loss at least. `least_share`: fewer are no more
    than outliers, whatever the loss does."""
    if not record.shares or len(record.losses) < min_losses:
        return None
    share, squares, curve = median(record.shares), median(record.squares), parts(record.losses, 5)
    if share < least_share or squares <= part or curve[-1] <= (1 - still) * curve[0]:
        return None
    return (
        f"{share:.0%} of the errors, {squares:.0%} of their squares, lie beyond the {record.function} to "
        f"({record.low:g}, {record.high:g}), without a gradient; the loss went from {curve[0]:.3g} to {curve[-1]:.3g}.",
        {"share": share, "squares": squares, "first": curve[0], "last": curve[-1]},
    )
