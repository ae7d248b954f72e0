"""Transfer learning that is compared and proved: from scratch, on frozen features, fine-tuned, on one split."""

from torchclinic.transfer_learning.backbones import Backbone, load_backbone
from torchclinic.transfer_learning.methods import METHODS, Outcome, Schedule, transfer
from torchclinic.transfer_learning.reporting import transfer_report

__all__ = ["METHODS", "Backbone", "Outcome", "Schedule", "load_backbone", "transfer", "transfer_report"]
