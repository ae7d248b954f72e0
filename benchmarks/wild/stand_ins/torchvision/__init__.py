"""A small stand-in for torchvision: real images from TORCHCLINIC_DATA, the usual transforms, a few networks."""

from torchvision import datasets, models, transforms, utils

__version__ = "0.0"
__all__ = ["datasets", "models", "transforms", "utils"]
