"""Images: MNIST (embedded subset or in full), downloads that can be trusted, pictures of digits."""

from torchclinic.data.digit import picture_text, read_digit
from torchclinic.data.mnist import Mnist, load_mnist, normalize

__all__ = ["Mnist", "load_mnist", "normalize", "picture_text", "read_digit"]
