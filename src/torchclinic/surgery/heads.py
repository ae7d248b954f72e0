"""Another classifier on a network, or none: the chopped head."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter

from torchclinic.errors import InputError
from torchclinic.surgery.flow import LAYERS, output_layers


@dataclass(frozen=True, slots=True)
class Replacement:
    """One module put in the place of another."""

    path: str
    old: nn.Module
    new: nn.Module
    found_by: str  # "run", "trace", "structure" or "given"
    notes: tuple[str, ...] = ()  # what else changed, or what the user should know

    def __str__(self) -> str:
        return "\n".join([f"{self.path}: {self.old} → {self.new} (found by {self.found_by})", *self.notes])

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(str(self))}</pre>"

    def to_dict(self) -> dict[str, Any]:
        return {"path": self.path, "old": str(self.old), "new": str(self.new), "found_by": self.found_by, "notes": list(self.notes)}


def replace_head(model: nn.Module, num_classes: int, *, path: str | None = None, example: Any = None) -> Replacement:
    """Put a new classifier of `num_classes` outputs in the place of the old one, and say what was exchanged.

    The classifier is the layer (linear or convolution) from which the output comes with no other parameters in
    between. It is found in a symbolic trace of the forward in both modes; where the forward cannot be traced, in
    the autograd graph of a run on `example` (a tensor, a tuple of arguments, a dict of keywords), or without one by
    structure. dtype, device, bias, mode and geometry stay. The weights are drawn from N(0, 1 / fan_in) and the bias
    is 0, so logits have the mean square of the features; both train, whatever was frozen before.

    Modifies the model; other layers are untouched. Build the optimizer afterwards: it does not know the new layer.

    Raises:
        InputError: no classifier or several were found (the message names their paths), or `num_classes` < 1.

    Reference: LeCun, Bottou, Orr, Müller 1998, "Efficient BackProp", equation 16; for the gain 1 of a layer without
    a nonlinearity after it: Glorot and Bengio 2010, PMLR 9, equation 10.
    """
    if num_classes < 1:
        raise InputError(f"num_classes is {num_classes}; a classifier has at least one output.")
    path, found_by = (path, "given") if path is not None else find_head(model, example)
    old = _layer_at(model, path)
    new = _resized(old, num_classes)
    notes = [*_untied(model, old, path), *_put(model, old, new), *_recount(model, _outputs(old), num_classes)]
    return Replacement(path, old, new, found_by, tuple(notes))


def cut_head(model: nn.Module, *, path: str | None = None, example: Any = None) -> Replacement:
    """Make the model return the features that its classifier received: the classifier becomes `nn.Identity`.

    Modifies the model. Raises and finds the classifier as `replace_head` does.
    """
    path, found_by = (path, "given") if path is not None else find_head(model, example)
    old = _layer_at(model, path)
    new = nn.Identity().train(old.training)
    notes = [*_untied(model, old, path), *_put(model, old, new)]
    return Replacement(path, old, new, found_by, tuple(notes))


def find_head(model: nn.Module, example: Any = None) -> tuple[str, str]:
    """Path of the classifier and how it was found ("run", "trace", "structure"). The model is not modified.

    Raises:
        InputError: no classifier or several candidates; the message names them.
    """
    name = type(model).__name__
    if isinstance(model, LAYERS):
        raise InputError(f"The model is itself a {name} and has no module inside it: wrap it in nn.Sequential.")
    ends = output_layers(model, example)
    if len(ends.layers) > 1:
        raise InputError(
            f"The output of {name} comes from {len(ends.layers)} layers, {' and '.join(ends.layers)}: "
            f"say which one is meant with path={ends.layers[0]!r}."
        )
    if ends.blockers:
        raise InputError(
            f"The output of {name} comes from {' and '.join(ends.blockers)}, which is no linear layer or convolution: "
            "name the layer to replace with path=…."
        )
    if not ends.layers or not ends.layers[0]:
        raise InputError(f"{name} has no linear layer or convolution inside it from which its output comes.")
    return ends.layers[0], ends.found_by


def _layer_at(model: nn.Module, path: str) -> nn.Module:
    try:
        layer = model.get_submodule(path)
    except AttributeError as error:
        raise InputError(f"{type(model).__name__} has no module {path!r}.") from error
    if not isinstance(layer, LAYERS) or not path:
        kind = type(layer).__name__
        raise InputError(f"{path or 'The model itself'} is a {kind}; a linear layer or convolution is needed.")
    if isinstance(layer.weight, UninitializedParameter):
        raise InputError(f"{path} is lazy and has no size yet: run one batch through the model first.")
    return layer


def _outputs(layer: nn.Module) -> int:
    return int(layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels)  # type: ignore[arg-type]


def _resized(old: nn.Module, outputs: int) -> nn.Module:
    weight: torch.Tensor = old.weight  # type: ignore[assignment]
    place: dict[str, Any] = {"device": weight.device, "dtype": weight.dtype, "bias": old.bias is not None}
    new: nn.Module
    if isinstance(old, nn.Linear):
        new = nn.Linear(old.in_features, outputs, **place)
    else:
        assert isinstance(old, nn.Conv1d | nn.Conv2d | nn.Conv3d)
        if old.groups != 1:
            raise InputError(f"The classifier is a convolution in {old.groups} groups; it cannot be resized.")
        build = next(kind for kind in (nn.Conv1d, nn.Conv2d, nn.Conv3d) if isinstance(old, kind))
        geometry: dict[str, Any] = {"stride": old.stride, "padding": old.padding, "dilation": old.dilation}
        size: Any = old.kernel_size
        new = build(old.in_channels, outputs, size, padding_mode=old.padding_mode, **geometry, **place)
    nn.init.kaiming_normal_(new.weight, nonlinearity="linear")  # gain 1, fan in
    if old.bias is not None:
        nn.init.zeros_(new.bias)  # type: ignore[arg-type]
    return new.train(old.training)


def _put(model: nn.Module, old: nn.Module, new: nn.Module) -> list[str]:
    """Put `new` wherever `old` is registered; a module may be registered more than once."""
    paths = [path for path, module in model.named_modules(remove_duplicate=False) if module is old]
    for path in paths:
        model.set_submodule(path, new)
    return [f"{path} was the same module and is replaced too." for path in paths[1:]]


def _untied(model: nn.Module, old: nn.Module, path: str) -> list[str]:
    own = {id(parameter) for parameter in old.parameters()}
    tied = [
        name
        for name, parameter in model.named_parameters(remove_duplicate=False)
        if id(parameter) in own and not name.startswith(f"{path}.") and not _belongs(model, name, old)
    ]
    return [f"{name} was tied to the old head and is so no longer." for name in tied]


def _belongs(model: nn.Module, name: str, layer: nn.Module) -> bool:
    return model.get_submodule(name.rpartition(".")[0]) is layer


def _recount(model: nn.Module, old: int, new: int) -> list[str]:
    """Models that keep their number of classes as an attribute (timm, transformers) use it in reshapes and losses."""
    notes = []
    for owner, label in ((model, ""), (getattr(model, "config", None), "config.")):
        for name in ("num_classes", "num_labels"):
            if owner is not None and getattr(owner, name, None) == old:
                setattr(owner, name, new)
                notes.append(f"{label}{name}: {old} → {new}.")
    return notes
