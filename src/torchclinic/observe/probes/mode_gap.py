"""The same training batch in train mode and in eval mode, at the moment the script evaluates."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _NormBase

from torchclinic.instruments.arguments import apply, common_rows, first_rows
from torchclinic.instruments.guard import untouched
from torchclinic.instruments.values import is_plain, tensors_in
from torchclinic.observe.probes.eval_pass import outputs_of
from torchclinic.observe.records import ModeGap
from torchclinic.observe.state.kept import KeptBatch
from torchclinic.observe.state.model_track import ModelTrack
from torchclinic.vocabulary import BINARY_LOSSES, LABEL_LOSSES, REGRESSION_LOSSES

MOST_ROWS = 256
MOST_ELEMENTS = 1 << 22


def normalizations(model: nn.Module) -> list[_NormBase]:
    """Layers that keep running statistics."""
    return [m for m in model.modules() if isinstance(m, _NormBase) and m.running_mean is not None]


def keep(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> KeptBatch | None:
    """Copy the first rows of a training batch; None if the model's modes cannot differ on it or it is too large."""
    outputs = outputs_of(result)
    rows = min(common_rows(args, kwargs), MOST_ROWS)
    if rows < 8 or not outputs or not outputs[0].dim() or not model.training:
        return None
    if sum(t.numel() // max(1, len(t)) * rows for t in tensors_in([args, kwargs])) > MOST_ELEMENTS:
        return None
    copied_args, copied_kwargs = apply(first_rows((args, kwargs), rows), torch.clone)
    return KeptBatch(copied_args, copied_kwargs, tuple(outputs[0].shape), rows)


def label(kept: KeptBatch, function: str, prediction: Tensor, target: Tensor) -> None:
    """The loss that follows the forward says what should have come out."""
    if kept.target is not None or tuple(prediction.shape) != kept.shape or not is_plain(target) or not target.dim():
        return
    same = target.shape == prediction.shape
    classes = not target.is_floating_point() and target.dim() == 1 and prediction.dim() == 2
    if len(target) == len(prediction) and (
        (function in LABEL_LOSSES and classes) or (function in REGRESSION_LOSSES | BINARY_LOSSES and same)
    ):
        kept.function, kept.target = function, target.detach()[: kept.rows].clone()


def mode_gap(model: nn.Module, track: ModelTrack, kept: KeptBatch, step: int) -> ModeGap | None:
    """Two forwards, restored bit for bit: dropout off in both, normalizations in train mode in the first."""
    if kept.target is None:
        return None
    layers = normalizations(model)
    with untouched(model), torch.no_grad():
        model.eval()
        in_eval = error(kept.function, outputs_of(_run(model, kept))[0], kept.target)
        for layer in layers:
            layer.train()
        in_train = error(kept.function, outputs_of(_run(model, kept))[0], kept.target)
    counts = [int(m.num_batches_tracked) for m in layers if m.num_batches_tracked is not None]
    momenta = [m.momentum for m in layers if m.momentum is not None]
    path = next((track.paths.get(id(m), "") for m in layers), "")
    return ModeGap(
        type(model).__name__,
        "",
        step,
        0,
        kept.rows,
        kept.function,
        constant_error(kept.function, kept.target),
        in_train,
        in_eval,
        min(counts, default=0),
        len(layers),
        min(momenta, default=1.0),
        path,
    )


def _run(model: nn.Module, kept: KeptBatch) -> Any:
    args, kwargs = apply((kept.args, kept.kwargs), torch.clone)
    return model(*args, **kwargs)


def error(function: str, output: Tensor, target: Tensor) -> float:
    return float(loss(function, output, target))


def loss(function: str, output: Tensor, target: Tensor) -> Tensor:
    """Mean cross-entropy (of log-probabilities it is the same) or mean square."""
    if function in LABEL_LOSSES:
        return functional.cross_entropy(output.float(), target.long())
    if function == "binary_cross_entropy":
        return functional.binary_cross_entropy(output.float().clamp(0, 1), target.float())
    if function == "binary_cross_entropy_with_logits":
        return functional.binary_cross_entropy_with_logits(output.float(), target.float())
    return (output.float() - target.float()).square().mean()


def constant_error(function: str, target: Tensor) -> float:
    """The error of the best prediction that does not look at the input."""
    if function in LABEL_LOSSES:
        kept = target[target >= 0]
        shares = torch.bincount(kept).float() / max(1, len(kept))
        return float(torch.special.entr(shares).sum())
    values = target.float()
    if function in BINARY_LOSSES:
        share = values.mean(0).clamp(0, 1)
        return float((torch.special.entr(share) + torch.special.entr(1 - share)).mean())
    return float((values - values.mean(0)).square().mean())
