"""Freezing that holds: no gradients, no moving BatchNorm statistics, no dropout, also after `.train()`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from torchclinic.errors import InputError


@dataclass(frozen=True, slots=True)
class Freezing:
    """What `freeze` or `unfreeze` left: names of parameters and buffers, paths of modules."""

    frozen: tuple[str, ...]  # parameters that do not train
    trainable: tuple[str, ...]
    statistics: tuple[str, ...]  # BatchNorm modules whose running statistics are held
    dropouts: tuple[str, ...]  # dropout modules that are off

    def __str__(self) -> str:
        return (
            f"{len(self.frozen)} parameters frozen, {len(self.trainable)} train; statistics of "
            f"{len(self.statistics)} BatchNorm layers are held, {len(self.dropouts)} dropout layers are off."
        )

    def to_dict(self) -> dict[str, Any]:
        return {name: list(getattr(self, name)) for name in ("frozen", "trainable", "statistics", "dropouts")}


def freeze(model: nn.Module, *paths: str, keep: str | Iterable[str] = ()) -> Freezing:
    """Freeze the modules at `paths` (the whole model if none is given), except those at `keep`.

    Frozen means: parameters have requires_grad False and no gradient (so neither momentum nor weight decay can
    move them), and their modules are in eval mode and stay there when `.train()` is called, so BatchNorm uses and
    keeps its running statistics and dropout is off. Survives copying and pickling. Modules that hold both frozen
    and kept parts follow `.train()` as before. Modifies the model; `unfreeze` takes it back.

    Raises:
        InputError: a path names no module and no parameter of the model.
    """
    kept = (keep,) if isinstance(keep, str) else tuple(keep)
    for path in (*paths, *kept):
        _require(model, path)
    for name, parameter in model.named_parameters():
        if _inside(name, paths or ("",)) and not _inside(name, kept):
            parameter.requires_grad_(False)
            parameter.grad = None
    for path, module in model.named_modules():
        holds_kept = any(other == path or other.startswith(f"{path}." if path else "") for other in kept)
        if _inside(path, paths or ("",)) and not _inside(path, kept) and not holds_kept:
            module.training = False
            module.train = partial(_train_frozen, module)
    return freezing_of(model)


def unfreeze(model: nn.Module, *paths: str) -> Freezing:
    """Let the modules at `paths` (the whole model if none is given) train again, in the mode the model is in.

    Modifies the model. An optimizer that was built from the trainable parameters alone does not know them;
    `parameter_groups` gives it all parameters from the start.

    Raises:
        InputError: a path names no module and no parameter of the model.
    """
    for path in paths:
        _require(model, path)
    for name, parameter in model.named_parameters():
        if _inside(name, paths or ("",)) and parameter.is_floating_point():
            parameter.requires_grad_(True)
    for path, module in model.named_modules():
        if _inside(path, paths or ("",)):
            vars(module).pop("train", None)
            module.training = model.training if paths else True
    if not paths:
        model.train()
    return freezing_of(model)


def freezing_of(model: nn.Module) -> Freezing:
    """What is frozen now. The model is not modified."""
    parameters = list(model.named_parameters())
    held = [(path, module) for path, module in model.named_modules() if is_held(module)]
    return Freezing(
        frozen=tuple(name for name, parameter in parameters if not parameter.requires_grad),
        trainable=tuple(name for name, parameter in parameters if parameter.requires_grad),
        statistics=tuple(path for path, module in held if isinstance(module, _BatchNorm)),
        dropouts=tuple(path for path, module in held if isinstance(module, _DropoutNd)),
    )


def is_held(module: nn.Module) -> bool:
    """Whether `freeze` holds this module in eval mode."""
    train = vars(module).get("train")
    return isinstance(train, partial) and train.func is _train_frozen


def stages(model: nn.Module) -> tuple[tuple[str, ...], ...]:
    """The parts of the network from input to output, each as paths of modules or parameters.

    A part is a child of the model (or of its only child with parameters), together with the normalization after it
    (a child whose parameters are all vectors); parameters held by the model itself belong to the first part.
    """
    prefix, root = "", model
    while True:
        children = [(f"{prefix}{name}", child) for name, child in root.named_children() if _trains(child)]
        if len(children) != 1 or list(root.parameters(recurse=False)) or not _parents(children[0][1]):
            break
        prefix, root = f"{children[0][0]}.", children[0][1]
    loose = tuple(f"{prefix}{name}" for name, _ in root.named_parameters(recurse=False))
    parts: list[tuple[str, ...]] = []
    for path, child in children:
        if parts and all(parameter.ndim < 2 for parameter in child.parameters()):
            parts[-1] = (*parts[-1], path)
        else:
            parts.append((path,))
    if loose:
        parts[:1] = [(*loose, *parts[0])] if parts else [loose]
    return tuple(parts)


def unfreeze_next(model: nn.Module) -> tuple[str, ...]:
    """Unfreeze the last part of the network that is still frozen, and return its paths; empty if none is left.

    Called once per epoch this is gradual unfreezing, from the output towards the input. Modifies the model.

    Reference: Howard and Ruder 2018, arXiv:1801.06146, section 3.3.
    """
    for part in reversed(stages(model)):
        if any(_inside(name, part) and not p.requires_grad for name, p in model.named_parameters()):
            unfreeze(model, *part)
            return part
    return ()


def parameter_groups(
    model: nn.Module, learning_rate: float, *, factor: float = 2.6, weight_decay: float = 0.0
) -> list[dict[str, Any]]:
    """Groups for an optimizer: the last part of the network gets `learning_rate`, each earlier one 1/`factor` of it.

    Vectors (biases, normalization) form their own groups without weight decay. Every parameter is in exactly one
    group, frozen ones too, so unfreezing needs no new optimizer. Each group has a `name`. The model is not modified.

    Reference: Howard and Ruder 2018, arXiv:1801.06146, section 3.2 (factor 2.6).
    """
    groups = []
    for depth, part in enumerate(reversed(stages(model))):
        own = [(name, parameter) for name, parameter in model.named_parameters() if _inside(name, part)]
        for kind, vectors in (("weights", False), ("vectors", True)):
            chosen = [parameter for _, parameter in own if (parameter.ndim < 2) is vectors]
            if chosen:
                rate, decay = learning_rate / factor**depth, 0.0 if vectors else weight_decay
                name = f"{'+'.join(part)} {kind}"
                groups.append({"name": name, "params": chosen, "lr": rate, "weight_decay": decay})
    return groups[::-1]


def _train_frozen(module: nn.Module, mode: bool = True) -> nn.Module:
    """Takes the place of `.train` on a frozen module: it stays in eval; a part put into it later follows `mode`."""
    module.training = False
    for child in module.children():
        child.train(mode)
    return module


def _parents(module: nn.Module) -> bool:
    return any(_trains(child) for child in module.children())


def _trains(module: nn.Module) -> bool:
    return next(module.parameters(), None) is not None


def _inside(name: str, paths: Iterable[str]) -> bool:
    return any(not path or name == path or name.startswith(f"{path}.") for path in paths)


def _names(model: nn.Module) -> Iterator[str]:
    yield from (path for path, _ in model.named_modules())
    yield from (name for name, _ in model.named_parameters())


def _require(model: nn.Module, path: str) -> None:
    if path not in set(_names(model)):
        known = ", ".join(name for name, _ in model.named_children())
        raise InputError(f"{type(model).__name__} has no module or parameter {path!r}; its parts are {known}.")
