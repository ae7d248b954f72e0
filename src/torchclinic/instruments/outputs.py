"""Reading what a classifier returns."""

from typing import Any

import torch
from torch import Tensor

from torchclinic.errors import InputError


def class_probabilities(output: Any, batch_size: int) -> Tensor:
    """Class probabilities [B, classes] from logits, probabilities or one score per sample.

    Takes the first tensor of a tuple or dict. One score per sample is read as a logit of class 1.

    Raises: InputError if the output is not class scores.
    """
    while isinstance(output, tuple | list | dict) and output:
        output = next(iter(output.values())) if isinstance(output, dict) else output[0]
    output = getattr(output, "logits", output)
    if not isinstance(output, Tensor) or not output.is_floating_point():
        raise InputError(f"The model returns {type(output).__name__}, not class scores [batch, classes].")
    if output.shape == (batch_size,):
        output = output[:, None]
    if output.dim() != 2 or len(output) != batch_size or output.shape[1] == 0:
        raise InputError(f"The model returns shape {tuple(output.shape)}, not class scores [batch, classes].")
    scores = output.float()
    if scores.shape[1] == 1:
        positive = scores.sigmoid()
        return torch.cat([1 - positive, positive], 1)
    already = bool((scores >= 0).all()) and torch.allclose(scores.sum(1), scores.new_ones(batch_size), atol=1e-4)
    return scores if already else scores.softmax(1)  # type: ignore[no-any-return]
