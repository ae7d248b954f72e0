"""What the weights of convolutions look like: norms, spectra, dead and duplicate filters. Only parameters are read."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

DEAD = 1e-3  # a filter whose norm is below this share of its layer's median contributes nothing a float16 could see
DUPLICATE = 0.9999  # cosine: the two differ by less than 1.5 % of their length


@dataclass(frozen=True, slots=True)
class FilterReport:
    """One convolution, its weight read as a matrix with a row per filter."""

    layer: str
    shape: tuple[int, ...]
    norms: Tensor  # of each filter
    spectrum: Tensor  # singular values, largest first
    dead: tuple[int, ...]
    duplicates: tuple[tuple[int, int], ...]

    @property
    def effective_rank(self) -> float:
        """exp of the entropy of the normalized singular values. Reference: Roy and Vetterli 2007, EUSIPCO."""
        share = self.spectrum / self.spectrum.sum()
        return float(torch.exp(torch.special.entr(share).sum()))

    def to_dict(self) -> dict[str, Any]:
        return {
            "layer": self.layer,
            "shape": list(self.shape),
            "norm_smallest": float(self.norms.min()),
            "norm_median": float(self.norms.median()),
            "norm_largest": float(self.norms.max()),
            "spectral_norm": float(self.spectrum[0]),
            "effective_rank": self.effective_rank,
            "dead": list(self.dead),
            "duplicates": [list(pair) for pair in self.duplicates],
        }


def inspect_filters(model: nn.Module) -> tuple[FilterReport, ...]:
    """A report per convolution, in the order of `named_modules`. The model is not modified."""
    convolutions = [(name, m) for name, m in model.named_modules() if isinstance(m, nn.Conv1d | nn.Conv2d | nn.Conv3d)]
    return tuple(_inspect(name, module.weight.detach()) for name, module in convolutions)


def _inspect(name: str, weight: Tensor) -> FilterReport:
    matrix = weight.flatten(1).double().cpu()
    norms = matrix.norm(dim=1)
    dead = norms <= DEAD * norms.median()
    unit = matrix / norms.clamp(min=torch.finfo(torch.float64).tiny)[:, None]
    alike = (unit @ unit.T).abs().triu(1) > DUPLICATE
    alike &= ~(dead[:, None] | dead)
    pairs = tuple((int(a), int(b)) for a, b in alike.nonzero())
    spectrum = torch.linalg.svdvals(matrix)
    return FilterReport(name, tuple(weight.shape), norms, spectrum, tuple(dead.nonzero().flatten().tolist()), pairs)
