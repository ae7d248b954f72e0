"""See why a PyTorch network fails, and prove the fix.

The public names are listed here, sorted, and loaded when first used: importing the package does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from torchclinic._version import __version__

_HOME = {
    "Claim": "report.model",
    "Figure": "report.model",
    "Finding": "report.model",
    "Report": "report.model",
    "avg_pool2d": "cnn.pool",
    "conv2d": "cnn.conv",
    "max_pool2d": "cnn.pool",
    "receptive_field": "observe.receptive_field",
    "stress_test": "stress",
}

__all__ = ["__version__", *_HOME]  # noqa: PLE0604

if TYPE_CHECKING:
    from torchclinic.cnn.conv import conv2d as conv2d
    from torchclinic.cnn.pool import avg_pool2d as avg_pool2d
    from torchclinic.cnn.pool import max_pool2d as max_pool2d
    from torchclinic.observe.receptive_field import receptive_field as receptive_field
    from torchclinic.report.model import Claim as Claim
    from torchclinic.report.model import Figure as Figure
    from torchclinic.report.model import Finding as Finding
    from torchclinic.report.model import Report as Report
    from torchclinic.stress import stress_test as stress_test


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'torchclinic' has no attribute {name!r}")
    return getattr(import_module(f"torchclinic.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
