"""Mean squares through one layer, forward and backward. `q` is E[x²] of a signal, `delta` E[g²] of a gradient.

Forward: He et al. 2015, arXiv:1502.01852, eq. 7-8; backward: eq. 12 (Glorot and Bengio 2010, PMLR 9, eq. 5-6, linear units).
Expectations are over weights that are independent, of zero mean, and independent of what flows through them.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from torchclinic.theory.activations import Activation, fourth_moment, mean_square, slope_mean_square

EPS32 = 2.0**-23  # distance from 1 to the next float32


def forward_linear(q: float, fan_in: float, weight_mean_square: float, bias_mean_square: float = 0.0) -> float:
    """q' = fan_in · E[w²] · q + E[b²]. Reference: He et al. 2015, arXiv:1502.01852, eq. 7."""
    return fan_in * weight_mean_square * q + bias_mean_square


def backward_linear(delta: float, fan_out: float, weight_mean_square: float) -> float:
    """δ = fan_out · E[w²] · δ'. Reference: He et al. 2015, arXiv:1502.01852, eq. 12 (before its factor 1/2, the activation's)."""
    return fan_out * weight_mean_square * delta


def forward_activation(q: float, phi: Activation, sphere: int = 0) -> float:
    """q' = E[φ(√q z)²]; `sphere` as in `mean_square`.

    Reference: Poole et al. 2016, arXiv:1606.05340; restated by Stamatescu et al. 2020 (ICLR submission, eq. 7).
    """
    return mean_square(phi, q, sphere)


def backward_activation(delta: float, q: float, phi: Activation) -> float:
    """δ = E[φ'(√q z)²] · δ', `q` before the activation; derived: the chain rule, with δ' independent of the pre-activation.

    Reference: He et al. 2015, arXiv:1502.01852, eq. 12 (ReLU: 1/2); any φ: Schoenholz et al. 2017, arXiv:1611.01232.
    """
    return slope_mean_square(phi, q) * delta


def forward_add(*branches: float) -> float:
    """q' = Σ q of branches whose products vanish on average (the last weights of each but one are of zero mean).

    Reference: derived, E[(x + y)²] = E[x²] + E[y²] where E[x y] = 0; the sum is He et al. 2015, arXiv:1512.03385, eq. 1.
    """
    return sum(branches)


def add_backward(*branches: float) -> float:
    """δ at a fork = Σ δ of the branches, under the same condition.

    Reference: derived as in `forward_add`, for the gradients that meet there; He et al. 2015, arXiv:1512.03385, eq. 1.
    """
    return sum(branches)


def forward_norm(scale_mean_square: float = 1.0, shift_mean_square: float = 0.0) -> float:
    """q' = E[γ²] + E[β²], whatever came in. Reference: Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 1 (last line)."""
    return scale_mean_square + shift_mean_square


def forward_dropout(q: float, p: float) -> float:
    """q' = q / (1 - p): a share 1 - p survives, multiplied by 1 / (1 - p). The gradient's mean square takes the same factor.

    Reference: Srivastava et al. 2014, JMLR 15, doi:10.5555/2627435.2670313, section 10 (scaling while training).
    """
    return q / (1 - p)


def log_spread(depth: int, width: int, phi: Activation) -> float:
    """Standard deviation of log q after `depth` layers of finite `width` with Gaussian weights, to first order in 1 / width.

    A layer's mean square is an average over `width` units, so log q takes a random step of variance κ / width per layer,
    κ = E[φ⁴] / E[φ²]² - 1: 5 for ReLU, 2 for a linear unit. The mean of log q drifts by minus half of the sum.

    Reference: derived above; Hanin and Rolnick 2018, arXiv:1803.01719, failure mode FM2 (the spread grows with Σ 1 / width).
    """
    assert phi.slopes is not None, "scale-free activations only: elsewhere the fixed point damps the steps"
    left, right = phi.slopes
    kappa = 3 * (left**2 + right**2) / 2 / ((left + right) / 2) ** 2 - 1
    return math.sqrt(depth * kappa / width)


def finite_width_step(q: float, variance: float, width: int, weight_variance: float, phi: Activation) -> tuple[float, float]:
    """Mean and variance, over networks, of the layer's mean square after one layer of `width` units, to order 1 / width.

    Given q, the next one averages σ_w² φ(√q z)² over `width` Gaussian units. So with f(q) = σ_w² E[φ(√q z)²]:
    mean' = f(q) + f''(q) V / 2 and V' = f'(q)² V + σ_w⁴ (E[φ⁴] - E[φ²]²) / width. At criticality the correction is of order
    depth / width, not 1 / width. `weight_variance` is σ_w² = width · Var[w].

    Reference: derived above, by Taylor's expansion to second order; finite-width corrections layer by layer: Yaida 2020,
    arXiv:1910.00019.
    """
    h = 1e-3 * q
    below, here, above = (weight_variance * mean_square(phi, x) for x in (q - h, q, q + h))
    slope, curve = (above - below) / (2 * h), (above - 2 * here + below) / h**2
    noise = weight_variance**2 * fourth_moment(phi, q) - here**2
    return here + curve * variance / 2, slope**2 * variance + noise / width


def depth_lost(mean_squares: Sequence[float]) -> float | None:
    """The layer at which the signal, changing at the measured rate, leaves what float32 can add to a number of order one.

    Lost means: the root mean square has changed by a factor 2⁻²³ (or 2²³) against the first layer, or is exactly zero.
    None if fewer than three layers were seen, or if the mean step of log q is within three standard errors of zero: at
    finite width log q wanders even where theory keeps it (see `log_spread`).

    Reference: derived; that log q is linear in depth is He et al. 2015, arXiv:1502.01852, eq. 9.
    """
    for depth, q in enumerate(mean_squares, start=1):
        if q == 0 or not math.isfinite(q):
            return float(depth)
    logs = [math.log(q) for q in mean_squares]
    steps = [after - before for before, after in pairwise(logs)]
    if len(steps) < 2:
        return None
    rate = sum(steps) / len(steps)
    error = math.sqrt(sum((step - rate) ** 2 for step in steps) / (len(steps) - 1) / len(steps))
    if abs(rate) <= max(3 * error, 1e-6):
        return None
    return 1 + 2 * math.log(1 / EPS32) / abs(rate)
