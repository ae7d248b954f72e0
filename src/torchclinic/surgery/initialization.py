"""`initialize`: to every layer the initialization that the activation behind it calls for, and a list of what was changed."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.parameter import is_lazy

from torchclinic.errors import InputError
from torchclinic.instruments.following import Place, places
from torchclinic.instruments.guard import untouched
from torchclinic.report.model import Section, Table
from torchclinic.report.results import Report, Reported
from torchclinic.theory.activations import Activation
from torchclinic.theory.fans import fan
from torchclinic.theory.gains import gain
from torchclinic.vocabulary import BOUNDED_ACTIVATIONS

SCHEMES = ("auto", "he", "xavier", "lecun", "orthogonal", "lsuv")


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one parameter. `scheme` is 'kept' where nothing did, with the reason."""

    parameter: str
    scheme: str
    std_before: float
    std_after: float
    reason: str


@dataclass(frozen=True)
class Initialization(Reported):
    """One entry per weight and per changed bias or scale, in the order of the model."""

    changes: tuple[Change, ...]
    dry_run: bool

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    def __len__(self) -> int:
        return len(self.changes)

    def __getitem__(self, parameter: int | str) -> Change:
        if isinstance(parameter, int):
            return self.changes[parameter]
        return next(change for change in self.changes if change.parameter == parameter)

    def to_dict(self) -> dict[str, Any]:
        fields = Change.__slots__
        return {"dry_run": self.dry_run, "changes": [{f: getattr(c, f) for f in fields} for c in self.changes]}

    def report(self) -> Report:
        rows = tuple((c.parameter, c.scheme, c.std_before, c.std_after, c.reason) for c in self.changes)
        table = Table(("parameter", "scheme", "std before", "std after", "reason"), rows)
        title = "Initialization that would be made" if self.dry_run else "Initialization"
        return Report(title, (Section(title, (table,)),))


def initialize(model: nn.Module, scheme: str = "auto", dry_run: bool = False, *, batch: Any = None) -> Initialization:
    """Initialize the weights of `model` in place for the activations that follow them, and say what was changed and why.

    `auto`: He for ReLU and its leaky kin with the right slope; Xavier for tanh and sigmoid; LeCun for SELU and where no
    activation follows; gain by quadrature for GELU, SiLU and the rest; the last layer of a residual branch scaled by 1/√L,
    or its normalization's scale set to zero. 'he', 'xavier', 'lecun' and 'orthogonal' use that scheme for every layer;
    'lsuv' (layer-sequential unit variance) needs `batch`. `batch` also lets `auto` see models that cannot be traced.
    Frozen, shared (once) and already trained weights are respected; biases are set to zero where the weight is drawn.
    With `dry_run` the model and the random streams stay as they are. Otherwise draws from torch's global stream.

    Raises:
        InputError: unknown scheme, no weights, lazy weights, or 'lsuv' without a batch.

    Reference: He et al. 2015, arXiv:1502.01852, eq. 10 and section 2.2 (leaky); Glorot and Bengio 2010, PMLR 9, eq. 12 and
    16; Klambauer et al. 2017, arXiv:1706.02515 (SELU); residual branches: weighted by depth, Hanin and Rolnick 2018,
    arXiv:1803.01719, and with 1/√L the mean square grows by at most (1 + 1/L)ᴸ < e; a zero scale, Goyal et al. 2017,
    arXiv:1706.02677, section 5.1; Saxe et al. 2014, arXiv:1312.6120 (orthogonal); Mishkin and Matas 2016, arXiv:1511.06422,
    algorithm 1 (LSUV).
    """
    if scheme not in SCHEMES:
        raise InputError(f"There is no scheme {scheme!r}; the schemes are {', '.join(SCHEMES)}.")
    if scheme == "lsuv" and batch is None:
        raise InputError("scheme='lsuv' scales layers by what they put out; give `batch=` as well.")
    if any(is_lazy(parameter) for parameter in model.parameters()):
        raise InputError("The model has a lazy parameter without a shape; run it once on a batch, then initialize.")
    found = places(model, batch)
    if dry_run:
        with untouched(model):
            return Initialization(tuple(_apply(model, found, scheme, batch)), dry_run=True)
    return Initialization(tuple(_apply(model, found, scheme, batch)), dry_run=False)


def _apply(model: nn.Module, found: dict[str, Place], scheme: str, batch: Any) -> Iterator[Change]:
    branches = sum(place.ends_branch for place in found.values())
    trained = any(name.endswith("num_batches_tracked") and bool(b) for name, b in model.named_buffers())
    seen: set[int] = set()
    drawn: list[str] = []
    for path, module, name, weight in _weights(model):
        full = f"{path}.{name}" if path else name
        before = _std(weight)
        kept = "shared with a layer above" if id(weight) in seen else _why_kept(weight, module, name, trained)
        seen.add(id(weight))
        if kept:
            yield Change(full, "kept", before, before, kept)
            continue
        place = found.get(path, Place())
        chosen, factor, reason = _choose(module, place, scheme, branches)
        fill(weight, module, name, chosen, factor)
        drawn.append(full)
        yield Change(full, chosen, before, _std(weight), reason)
        yield from _zero_bias(path, module, name)
        if place.scale_after and scheme == "auto":
            yield from _zero_scale(model, place.scale_after)
    if not seen:
        raise InputError(f"{type(model).__name__} has no weight of a linear, convolution, attention or recurrent layer.")
    if scheme == "lsuv":
        yield from _lsuv(model, drawn, batch)


def _weights(model: nn.Module) -> Iterator[tuple[str, nn.Module, str, nn.Parameter]]:
    """(path, module, name, weight) of each weight with a fan, shared ones at each of their places."""
    for path, module in model.named_modules(remove_duplicate=False):
        names: tuple[str, ...] = ()
        if isinstance(module, _ConvNd | nn.Linear | nn.Bilinear):
            names = ("weight",)
        elif isinstance(module, nn.MultiheadAttention):
            names = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
        elif isinstance(module, nn.RNNBase):
            names = tuple(name for name, _ in module.named_parameters(recurse=False) if name.startswith("weight"))
        for name in names:
            weight = module._parameters.get(name)
            if weight is not None:
                yield path, module, name, weight


def _why_kept(weight: Tensor, module: nn.Module, name: str, model_trained: bool) -> str:
    if not weight.requires_grad:
        return "frozen (requires_grad is False)"
    if model_trained:
        return "trained: a normalization of the model has counted batches"
    if weight.grad is not None:
        return "trained: it holds a gradient"
    return (
        ""
        if looks_fresh(weight)
        else "trained: its values follow no initialization (neither uniform, normal, orthogonal nor constant)"
    )


def looks_fresh(weight: Tensor) -> bool:
    """Whether the values could come straight from an initialization.

    Constant; or orthogonal; or without structure both in their values (by the Kolmogorov-Smirnov distance at significance
    1e-6, uniform or normal, whole or one half of it) and in their arrangement (no singular value beyond the edge
    σ (√m + √n) of independent entries and its fluctuations, Johnstone 2001). Training moves weights along few directions, which
    shows as singular values beyond the edge; in small weights (under some hundred values) nothing shows.
    """
    values = weight.detach().double().flatten().cpu()
    if values.numel() < 2 or bool((values == values[0]).all()):
        return True
    return _is_orthogonal(weight) or (_is_plain(values) and _has_no_direction(weight))


def _is_plain(values: Tensor) -> bool:
    values = values[:: max(1, values.numel() // 20_000)].sort().values
    n = values.numel()
    limit = math.sqrt(math.log(2 / 1e-6) / 2 / n)  # Dvoretzky, Kiefer, Wolfowitz with Massart's constant
    limit += 0.02  # a normal cut at two deviations is this far from a normal
    ranks = torch.arange(1, n + 1, dtype=torch.double) / n
    bound, deviation = float(values.abs().max()), float(values.square().mean().sqrt())
    uniform, normal = (values / bound + 1) / 2, torch.special.ndtr(values / deviation)
    if bool((values > 0).all()) or bool((values < 0).all()):  # one half of such a distribution, on either side
        positive = float(values[0] > 0)
        uniform, normal = 2 * uniform - positive, 2 * normal - positive
    return min(float((ranks - uniform).abs().max()), float((ranks - normal).abs().max())) <= limit


def _has_no_direction(weight: Tensor) -> bool:
    rows = weight.detach().flatten(1).double()
    rows = rows - rows.mean()
    rows = rows if len(rows) <= rows.shape[1] else rows.T
    gram = rows @ rows.T
    vector = torch.linspace(1, 2, len(gram), dtype=torch.double, device=gram.device)
    for _ in range(50):  # power iteration: from below, so in doubt the weight counts as fresh
        vector = gram @ vector
        vector = vector / vector.norm()
    m, n = rows.shape
    largest = float((gram @ vector).norm() / rows.square().mean())
    center = (math.sqrt(n - 1) + math.sqrt(m)) ** 2
    spread = math.sqrt(center) * (1 / math.sqrt(max(n - 1, 1)) + 1 / math.sqrt(m)) ** (1 / 3)
    return bool(largest <= center + 5 * spread)  # Johnstone 2001, Annals of Statistics 29, theorem 1.1


def _is_orthogonal(weight: Tensor) -> bool:
    rows = weight.detach().flatten(1).double()
    rows = rows if len(rows) <= rows.shape[1] else rows.T
    gram = rows[:64] @ rows[:64].T
    return bool((gram - torch.eye(len(gram), device=gram.device) * gram[0, 0]).abs().max() <= 1e-4 * gram[0, 0])


def _std(tensor: Tensor) -> float:
    return float(tensor.detach().double().std(correction=0))


def _choose(module: nn.Module, place: Place, scheme: str, branches: int) -> tuple[str, float, str]:
    """(scheme, gain, reason) for one weight."""
    phi = place.activation
    name = "no activation" if phi is None else phi.name
    where = "traced" if place.traced else "in order of registration"
    if scheme in ("xavier", "lecun"):
        return scheme, 1.0, f"asked for; followed by {name} ({where})"
    factor = 1.0 if phi is None else gain(phi)
    if scheme in ("he", "orthogonal", "lsuv"):
        drawn = "orthogonal" if scheme == "lsuv" else scheme
        return drawn, factor, f"asked for; followed by {name} ({where}), gain {factor:.4g}"
    if isinstance(module, nn.MultiheadAttention | nn.RNNBase):
        return "xavier", 1.0, "projections of attention and recurrence act linearly: gain 1"
    if place.ends_branch and not place.scale_after:
        factor = 1 / math.sqrt(max(branches, 1))
        return "lecun", factor, f"last layer of one of {branches} residual branches: scaled by 1/√{branches}"
    if phi is None:
        return "lecun", 1.0, f"no activation follows ({where}): variance 1/fan_in"
    return (*_for_activation(phi, factor), f"followed by {name} ({where}), gain {_for_activation(phi, factor)[1]:.4g}")


def _for_activation(phi: Activation, factor: float) -> tuple[str, float]:
    if phi.slopes is not None:
        return ("he", factor) if phi.name != "identity" else ("lecun", 1.0)
    if phi.name in BOUNDED_ACTIVATIONS:
        return "xavier", 1.0
    return ("lecun", 1.0) if phi.name == "selu" else ("he", factor)


@torch.no_grad()
def fill(weight: Tensor, module: nn.Module, name: str, scheme: str, factor: float) -> None:
    """Draw `weight` in place from `scheme` with gain `factor`; stacked projections and gates one block at a time."""
    fan_in, fan_out = fan(module, name)
    blocks = weight.split(fan_out) if isinstance(module, nn.MultiheadAttention | nn.RNNBase) else (weight,)
    for block in blocks:
        if scheme == "orthogonal":
            nn.init.orthogonal_(block)
            block.mul_(factor / math.sqrt(fan_in) / float(block.square().mean().sqrt()))
        else:
            mean_fan = (fan_in + fan_out) / 2
            block.normal_(0.0, factor / math.sqrt(mean_fan if scheme == "xavier" else fan_in))


def _zero_bias(path: str, module: nn.Module, weight: str) -> Iterator[Change]:
    name = {"weight": "bias", "in_proj_weight": "in_proj_bias", "q_proj_weight": "in_proj_bias"}.get(weight)
    if name is None and weight.startswith("weight_"):
        name = weight.replace("weight", "bias", 1)
    bias = module._parameters.get(name) if name else None
    if name is None or bias is None or not bias.requires_grad:
        return
    before = _std(bias)
    changed = bool(bias.detach().any())
    nn.init.zeros_(bias)
    if changed:
        yield Change(f"{path}.{name}" if path else name, "zero", before, 0.0, "biases start at zero")


def _zero_scale(model: nn.Module, path: str) -> Iterator[Change]:
    scale = model.get_submodule(path)._parameters.get("weight")
    if scale is None or not scale.requires_grad:
        return
    before = _std(scale)
    reason = f"last normalization of a residual branch, scale {float(scale.detach().mean()):g} → 0: the block starts as identity"
    nn.init.zeros_(scale)
    yield Change(f"{path}.weight", "zero", before, 0.0, reason)


def _lsuv(model: nn.Module, drawn: list[str], batch: Any) -> Iterator[Change]:
    """Scale each drawn weight until its layer's output has variance 1 on `batch`, in the order of the forward pass."""
    from torchclinic.instruments.propagation import propagation

    order = [row.parameter for row in propagation(model, batch) if row.parameter in drawn]
    for name in dict.fromkeys(order):
        weight = model.get_parameter(name)
        before = _std(weight)
        for _ in range(5):
            row = next(row for row in propagation(model, batch) if row.parameter == name)
            if row.variance == 0 or abs(row.variance - 1) < 0.02:
                break
            with torch.no_grad():
                weight.div_(math.sqrt(row.variance))
        yield Change(name, "lsuv", before, _std(weight), f"output variance {row.variance:.3g} on the batch")
