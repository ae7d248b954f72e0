"""See why a PyTorch network fails, and prove the fix.

The public names are listed here, sorted, and loaded when first used: importing the package does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from torchclinic._version import __version__

_HOME = {
    "Claim": "report.model",
    "Figure": "report.results",
    "Finding": "report.model",
    "Report": "report.results",
    "aliasing": "tensors.aliasing",
    "avg_pool2d": "cnn.pool",
    "checkup": "running.checkup",
    "conv2d": "cnn.conv",
    "cut_head": "surgery.heads",
    "explain": "tensors.inspection",
    "explain_broadcast": "tensors.broadcasting",
    "explain_errors": "error_notes",
    "explain_permute": "tensors.reordering",
    "explain_reshape": "tensors.reordering",
    "explain_view": "tensors.views",
    "freeze": "surgery.freezing",
    "initialize": "surgery.initialization",
    "inspect_checkpoint": "checkpoints.inspection",
    "load_ipython_extension": "running.notebook",
    "max_pool2d": "cnn.pool",
    "monitor": "running.monitoring",
    "parameter_groups": "surgery.freezing",
    "propagation": "instruments.propagation",
    "prove": "replay.live",
    "receptive_field": "instruments.receptive_field",
    "replace_head": "surgery.heads",
    "replace_stem": "surgery.stems",
    "stress_test": "instruments.stress",
    "summary": "instruments.summary",
    "trace": "instruments.tracing",
    "unfreeze": "surgery.freezing",
    "unfreeze_next": "surgery.freezing",
    "unload_ipython_extension": "running.notebook",
    "verify_frozen": "surgery.proof",
}

__all__ = ["__version__", *_HOME]

if TYPE_CHECKING:
    from torchclinic.checkpoints.inspection import inspect_checkpoint as inspect_checkpoint
    from torchclinic.cnn.conv import conv2d as conv2d
    from torchclinic.cnn.pool import avg_pool2d as avg_pool2d
    from torchclinic.cnn.pool import max_pool2d as max_pool2d
    from torchclinic.error_notes import explain_errors as explain_errors
    from torchclinic.instruments.propagation import propagation as propagation
    from torchclinic.instruments.receptive_field import receptive_field as receptive_field
    from torchclinic.instruments.stress import stress_test as stress_test
    from torchclinic.instruments.summary import summary as summary
    from torchclinic.instruments.tracing import trace as trace
    from torchclinic.replay.live import prove as prove
    from torchclinic.report.model import Claim as Claim
    from torchclinic.report.model import Finding as Finding
    from torchclinic.report.results import Figure as Figure
    from torchclinic.report.results import Report as Report
    from torchclinic.running.checkup import checkup as checkup
    from torchclinic.running.monitoring import monitor as monitor
    from torchclinic.running.notebook import load_ipython_extension as load_ipython_extension
    from torchclinic.running.notebook import unload_ipython_extension as unload_ipython_extension
    from torchclinic.surgery.freezing import freeze as freeze
    from torchclinic.surgery.freezing import parameter_groups as parameter_groups
    from torchclinic.surgery.freezing import unfreeze as unfreeze
    from torchclinic.surgery.freezing import unfreeze_next as unfreeze_next
    from torchclinic.surgery.heads import cut_head as cut_head
    from torchclinic.surgery.heads import replace_head as replace_head
    from torchclinic.surgery.initialization import initialize as initialize
    from torchclinic.surgery.proof import verify_frozen as verify_frozen
    from torchclinic.surgery.stems import replace_stem as replace_stem
    from torchclinic.tensors.aliasing import aliasing as aliasing
    from torchclinic.tensors.broadcasting import explain_broadcast as explain_broadcast
    from torchclinic.tensors.inspection import explain as explain
    from torchclinic.tensors.reordering import explain_permute as explain_permute
    from torchclinic.tensors.reordering import explain_reshape as explain_reshape
    from torchclinic.tensors.views import explain_view as explain_view


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'torchclinic' has no attribute {name!r}")
    return getattr(import_module(f"torchclinic.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
