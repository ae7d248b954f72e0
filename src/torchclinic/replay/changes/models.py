"""Around a model's call: initialization, train and eval mode, frozen normalizations, standardized inputs."""

from contextlib import suppress
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from torchclinic.errors import InputError
from torchclinic.replay.change import Call, Change
from torchclinic.surgery.initialization import initialize

LARGEST_VALUE = 10.0  # in standard deviations; rarer values carry no scale that could be estimated


class Initialize(Change):
    """`tc.initialize` on each model before its first training forward; plain tensors that are multiplied as well."""

    name = "initialize"
    what = "the weights are initialized for the activations that follow, before the first step"
    codes = ("INI001", "INI002", "INI003", "INI004", "INI005", "INI006")
    candidate_for = ("ACT002", "GRA001", "LOS009")
    operations = frozenset({"matmul", "mm", "linear"})

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[int, Any] = {}

    def enter_model(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        if torch.is_grad_enabled() and id(model) not in self._seen and self.bench.steps == 0:
            self._seen[id(model)] = model
            self._seen.update((id(parameter), parameter) for parameter in model.parameters())
            with torch.random.fork_rng(devices=[]):
                with suppress(InputError):  # no weights of a layer with a fan
                    self.acted += sum(change.scheme != "kept" for change in initialize(model))
                for module in model.modules():
                    if isinstance(module, nn.Embedding) and bool((module.weight == module.weight[0, 0]).all()):
                        nn.init.normal_(module.weight)
                        self.acted += 1
        return args

    def rewrite(self, name: str, call: Call) -> Call:
        for position, tensor in enumerate(call[1][:2]):
            if not isinstance(tensor, Tensor) or id(tensor) in self._seen or self.bench.steps:
                continue
            if tensor.is_leaf and tensor.requires_grad and tensor.dim() == 2 and not self.bench.in_model():
                self._seen[id(tensor)] = tensor
                fan_in = tensor.shape[1] if name == "linear" or position == 0 else tensor.shape[0]
                with torch.no_grad(), torch.random.fork_rng(devices=[]):
                    tensor.normal_(0.0, (2 / fan_in) ** 0.5)  # He et al. 2015, arXiv:1502.01852, eq. 10
                self.acted += 1
        return call


class _Mode(Change):
    """Modes during a model's call, and as they were after it."""

    def __init__(self) -> None:
        super().__init__()
        self._before: list[tuple[nn.Module, bool]] = []

    def wanted(self, model: nn.Module) -> dict[nn.Module, bool]:
        """Modules whose mode is wrong, with the right one."""
        raise NotImplementedError

    def enter_model(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        wrong = {module: mode for module, mode in self.wanted(model).items() if module.training is not mode}
        self._before = [(module, module.training) for module in wrong]
        for module, mode in wrong.items():
            module.training = mode
        self.acted += bool(wrong)
        return args

    def leave_model(self, model: nn.Module) -> None:
        for module, mode in self._before:
            module.training = mode
        self._before = []


class TrainMode(_Mode):
    name = "train-mode"
    what = "forwards with gradients run in train mode, except through parts that are frozen"
    codes = ("MOD001",)
    judged_by: ClassVar[str] = "evaluation"

    def wanted(self, model: nn.Module) -> dict[nn.Module, bool]:
        if not torch.is_grad_enabled():
            return {}
        return {module: True for module in model.modules() if not _is_frozen(module)}


class EvalMode(_Mode):
    name = "eval-mode"
    what = "forwards without gradients run in eval mode"
    codes = ("MOD002",)
    judged_by: ClassVar[str] = "evaluation"

    def wanted(self, model: nn.Module) -> dict[nn.Module, bool]:
        return {} if torch.is_grad_enabled() else dict.fromkeys(model.modules(), False)


class HoldNorms(_Mode):
    name = "hold-frozen-norms"
    what = "normalizations whose parameters are frozen use and keep their running statistics"
    codes = ("MOD006",)
    judged_by: ClassVar[str] = "evaluation"

    def wanted(self, model: nn.Module) -> dict[nn.Module, bool]:
        return {m: False for m in model.modules() if isinstance(m, _NormBase) and _is_frozen(m)}


class Standardize(Change):
    """Per column of a table, per channel of a picture; statistics of all training batches so far."""

    name = "standardize-inputs"
    what = "the model's inputs are shifted and scaled to mean 0 and standard deviation 1"
    codes = ("DAT001",)

    def __init__(self) -> None:
        super().__init__()
        self._sums: dict[tuple[int, ...], list[Any]] = {}  # by trailing shape: count, sum, sum of squares

    def enter_model(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        if not args or not isinstance(args[0], Tensor) or not args[0].is_floating_point() or args[0].dim() < 2:
            return args
        if args[0].requires_grad:  # what another model made, not data
            return args
        self.acted += 1
        return (self._standardized(args[0]), *args[1:])

    def _standardized(self, data: Tensor) -> Tensor:
        feature = 1 if data.dim() in (2, 4) else data.dim() - 1
        dims = [dim for dim in range(data.dim()) if dim != feature]
        sums = self._sums.setdefault((feature, data.shape[feature]), [0.0, 0.0, 0.0])
        if torch.is_grad_enabled() or sums[0] == 0:
            values = data.detach().double()
            sums[0] += data.numel() / data.shape[feature]
            sums[1] = sums[1] + values.sum(dims)
            sums[2] = sums[2] + values.square().sum(dims)
        mean = sums[1] / sums[0]
        variance = (sums[2] / sums[0] - mean.square()).clamp_min(0)
        constant = variance <= 1e-12 * (mean.square() + 1e-30)
        spread = torch.where(constant, variance.mean().clamp_min(1e-24), variance).sqrt()
        shape = [-1 if dim == feature else 1 for dim in range(data.dim())]
        scaled = (data - mean.to(data.dtype).view(shape)) / spread.to(data.dtype).view(shape)
        return torch.clamp(scaled, -LARGEST_VALUE, LARGEST_VALUE)


class Identity(Change):
    name = "sham-identity"
    what = "the model's inputs pass through an operation that returns them as they are"
    sham = True

    def enter_model(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        self.acted += 1
        return tuple(value.view_as(value) if isinstance(value, Tensor) else value for value in args)


def _is_frozen(module: nn.Module) -> bool:
    parameters = list(module.parameters())
    return bool(parameters) and not any(parameter.requires_grad for parameter in parameters)
