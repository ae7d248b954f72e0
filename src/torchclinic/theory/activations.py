"""What an activation does to a Gaussian: the integrals every recursion is made of.

With z ~ N(0, 1): forward, E[φ(√q z)²], the length map of Poole et al. 2016, arXiv:1606.05340; backward, E[φ'(√q z)²], the
slope of their correlation map at 1. Rectifiers have closed forms (He et al. 2015, arXiv:1502.01852, section 2.2): half of
the normal lies on either side, so slopes a and b give (a² + b²) q / 2. The rest is quadrature.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchclinic.errors import InputError
from torchclinic.vocabulary import ACTIVATIONS

Elementwise = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Activation:
    """An elementwise function φ. `slopes` = its mean-square slopes left and right of zero if it is a rectifier."""

    name: str
    function: Elementwise
    slopes: tuple[float, float] | None = None
    gated: bool = False  # φ halves its input: a · φ(b)

    @property
    def odd(self) -> bool:
        """φ(-x) = -φ(x)."""
        nodes = _nodes()[0][-64:]
        return not self.gated and bool(torch.allclose(self.function(nodes.clone()), -self.function(-nodes), atol=1e-12))

    @property
    def rectifier(self) -> bool:
        """Zero on the whole left half: a unit can die."""
        nodes = -_nodes()[0][-512:]
        return not self.gated and not bool(self.function(nodes).any())


def activation(given: Any, slope: float | None = None) -> Activation:
    """The activation behind a name ('relu', 'leaky_relu', ...), a module, a module class or a function.

    `slope` is the negative slope of 'leaky_relu'. Calling a given module this way runs none of its hooks.

    Raises:
        InputError: not an elementwise activation (softmax, a layer with weights).

    Reference: the slopes of rectifiers, He et al. 2015, arXiv:1502.01852, eq. 1.
    """
    if isinstance(given, Activation):
        return given
    if isinstance(given, type) and issubclass(given, nn.Module):
        return _of_module(_construct(given))
    if isinstance(given, nn.Module):
        return _of_module(given)
    name = given if isinstance(given, str) else getattr(given, "__name__", str(given))
    plain = name.lower().rstrip("_")
    if plain in ("linear", "identity", "none"):
        return Activation("identity", lambda x: x, (1.0, 1.0))
    if plain == "relu":
        return Activation("relu", F.relu, (0.0, 1.0))
    if plain in ("leaky_relu", "leakyrelu"):
        return leaky(0.01 if slope is None else slope)
    plain = {"swish": "silu"}.get(plain, plain)
    function = given if callable(given) else getattr(F, plain, None) or getattr(torch, plain, None)
    if (plain not in ACTIVATIONS and not (callable(given) and plain == "<lambda>")) or function is None:
        raise InputError(f"{name!r} is not an elementwise activation; known are {', '.join(sorted(ACTIVATIONS))}.")
    return Activation(plain, function, gated=plain == "glu")


def leaky(slope: float) -> Activation:
    """φ(x) = x where x > 0, else slope · x. Reference: He et al. 2015, arXiv:1502.01852, eq. 1."""
    return Activation(f"leaky_relu({slope:g})", partial(F.leaky_relu, negative_slope=slope), (slope**2, 1.0))


def is_activation(module: nn.Module) -> bool:
    """Whether theory knows the module as an activation (softmax and attention it does not)."""
    return isinstance(module, _MODULES)


_MODULES = (
    nn.CELU,
    nn.ELU,
    nn.GELU,
    nn.GLU,
    nn.Hardshrink,
    nn.Hardsigmoid,
    nn.Hardswish,
    nn.Hardtanh,
    nn.Identity,
    nn.LeakyReLU,
    nn.LogSigmoid,
    nn.Mish,
    nn.PReLU,
    nn.ReLU,
    nn.ReLU6,
    nn.RReLU,
    nn.SELU,
    nn.SiLU,
    nn.Sigmoid,
    nn.Softplus,
    nn.Softshrink,
    nn.Softsign,
    nn.Tanh,
    nn.Tanhshrink,
    nn.Threshold,
)


def _construct(kind: type[nn.Module]) -> nn.Module:
    try:
        return kind()
    except TypeError as error:
        raise InputError(f"{kind.__name__} is not an activation that can be made without arguments.") from error


def _of_module(module: nn.Module) -> Activation:
    name = type(module).__name__.lower()
    if isinstance(module, nn.Identity | nn.ReLU):
        return activation(name)
    if isinstance(module, nn.LeakyReLU):
        return leaky(module.negative_slope)
    if isinstance(module, nn.PReLU):
        slopes = module.weight.detach().double()
        function = partial(F.leaky_relu, negative_slope=float(slopes.mean()))
        return Activation("prelu", function, (float(slopes.square().mean()), 1.0))
    if isinstance(module, nn.RReLU):
        low, high = module.lower, module.upper
        middle = (low + high) / 2
        square = (low * low + low * high + high * high) / 3 if module.training else middle**2
        return Activation("rrelu", partial(F.leaky_relu, negative_slope=middle), (square, 1.0))
    if isinstance(module, nn.GLU):
        return Activation("glu", torch.sigmoid, gated=True)
    if not is_activation(module):
        raise InputError(f"{type(module).__name__} is not an elementwise activation; it has no gain.")
    return Activation(name, module.forward)


def mean_square(phi: Activation, q: float, sphere: int = 0) -> float:
    """E[φ(√q z)²] for z ~ N(0, 1).

    With `sphere` = N, z is √N times a coordinate of a uniform point on the sphere in N dimensions instead: what an
    orthogonal weight makes of its input. It differs from the normal by order 1 / N.

    Reference: Poole et al. 2016, arXiv:1606.05340, the length map; restated by Stamatescu et al. 2020 (ICLR submission, eq. 7).
    """
    if phi.gated:
        return q * _integral(lambda z: phi.function(z * math.sqrt(q)).square(), sphere)
    if phi.slopes is not None:
        return q * (phi.slopes[0] + phi.slopes[1]) / 2
    return _integral(lambda z: phi.function(z * math.sqrt(q)).square(), sphere)


def fourth_moment(phi: Activation, q: float) -> float:
    """E[φ(√q z)⁴] for z ~ N(0, 1). For ReLU 3q² / 2, by the fourth moment of the normal.

    Reference: Yaida 2020, arXiv:1910.00019, for what it is used; derived in `finite_width_step`.
    """
    return _integral(lambda z: phi.function(z * math.sqrt(q)).pow(4))


def slope_mean_square(phi: Activation, q: float, sphere: int = 0) -> float:
    """E[φ'(√q z)²], z as in `mean_square`, by automatic differentiation: a weight layer's χ₁ = σ_w² times this.

    Reference: Poole et al. 2016, arXiv:1606.05340, χ₁; restated by Stamatescu et al. 2020 (ICLR submission, eq. 9).
    """
    if phi.slopes is not None:
        return (phi.slopes[0] + phi.slopes[1]) / 2
    if phi.gated:
        raise InputError("A gated activation has two inputs, hence no single slope.")
    return _integral(lambda z: derivative(phi, z * math.sqrt(q)).square(), sphere)


def derivative(phi: Activation, x: Tensor) -> Tensor:
    with torch.enable_grad():
        inputs = x.detach().clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(phi.function(inputs * 1.0).sum(), inputs)
    return gradient


def _integral(function: Elementwise, sphere: int = 0) -> float:
    """E[f(z)] for z ~ N(0, 1): Gauss-Legendre on 480 panels of [-12, 12], split at zero where rectifiers have their kink.

    Exact to 1e-12 for smooth f and to 1e-5 where f has a kink elsewhere.
    """
    nodes, weights = _nodes() if sphere < 4 else _sphere_nodes(sphere)
    return float((weights * function(nodes.clone()).detach()).sum())


@cache
def _nodes() -> tuple[Tensor, Tensor]:
    import numpy as np

    x, w = np.polynomial.legendre.leggauss(8)
    width = 0.05
    centers = (np.arange(-240, 240) + 0.5) * width
    nodes = torch.from_numpy((centers[:, None] + x[None] * width / 2).ravel())
    weights = torch.from_numpy(np.tile(w * width / 2, len(centers)))
    density = torch.exp(-nodes.square() / 2) / math.sqrt(2 * math.pi)
    return nodes, weights * density


@cache
def _sphere_nodes(dimension: int) -> tuple[Tensor, Tensor]:
    """The same nodes, weighted by the density (1 - z² / N)^((N - 3) / 2) of a coordinate."""
    nodes, weights = _nodes()
    inside = (1 - nodes.square() / dimension).clamp_min(0)
    density = weights * torch.exp(nodes.square() / 2) * inside.pow((dimension - 3) / 2)
    return nodes, density / density.sum()
