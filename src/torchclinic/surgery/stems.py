"""Another input stem: other numbers of channels, small images."""

import torch
from torch import nn

from torchclinic.errors import InputError
from torchclinic.surgery.flow import input_layers, layers_between
from torchclinic.surgery.heads import Replacement

POOLS = (nn.MaxPool2d, nn.AvgPool2d)


def replace_stem(
    model: nn.Module, in_channels: int | None = None, *, small_images: bool = False, path: str | None = None
) -> Replacement:
    """Make the first convolution accept `in_channels`, and with `small_images` let it keep the resolution.

    With the kernel as it is, learned weights are kept: each new channel gets the sum of the old ones divided by
    `in_channels`, so an image whose channels are equal (a grey photograph) gives the response it gave before.
    `small_images` is the stem of the CIFAR networks: 3x3, stride 1, no pooling after it (He et al. 2015,
    arXiv:1512.03385, section 4.2); its weights are new, N(0, 2 / fan_out).

    Modifies the model. dtype, device, bias, requires_grad and mode stay (a re-drawn kernel trains).

    Raises:
        InputError: the input does not meet exactly one two-dimensional convolution first, or `in_channels` < 1.
    """
    if in_channels is not None and in_channels < 1:
        raise InputError(f"in_channels is {in_channels}; an image has at least one channel.")
    ends = input_layers(model)
    path, found_by = (path, "given") if path is not None else (_only(model, ends.layers), ends.found_by)
    old = model.get_submodule(path)
    if not isinstance(old, nn.Conv2d) or old.groups != 1:
        raise InputError(f"{path} is {old}; the stem must be a Conv2d with groups=1.")
    channels = old.in_channels if in_channels is None else in_channels
    new = _stem(old, channels, small_images)
    notes = ["the kernel is new" if small_images else "the learned kernel is kept, summed over its channels"]
    if small_images:
        for pool in layers_between(model, path, POOLS):
            model.set_submodule(pool, nn.Identity())
            notes.append(f"{pool} is removed (Identity)")
    model.set_submodule(path, new)
    return Replacement(path, old, new, found_by, tuple(notes))


def _only(model: nn.Module, layers: tuple[str, ...]) -> str:
    if len(layers) != 1:
        listed = " and ".join(layers) or "no layer"
        raise InputError(f"The input of {type(model).__name__} meets {listed} first: name the stem with path=….")
    return layers[0]


def _stem(old: nn.Conv2d, in_channels: int, small_images: bool) -> nn.Conv2d:
    weight = old.weight
    size, stride, padding = ((3, 3), (1, 1), (1, 1)) if small_images else (old.kernel_size, old.stride, old.padding)
    new = nn.Conv2d(
        in_channels,
        old.out_channels,
        size,  # type: ignore[arg-type]
        stride,  # type: ignore[arg-type]
        padding,  # type: ignore[arg-type]
        dilation=1 if small_images else old.dilation,  # type: ignore[arg-type]
        bias=old.bias is not None,
        padding_mode=old.padding_mode,
        device=weight.device,
        dtype=weight.dtype,
    )
    with torch.no_grad():
        if small_images:
            nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")
        elif in_channels == old.in_channels:
            new.weight.copy_(weight)
        else:
            new.weight.copy_((weight.sum(1, keepdim=True) / in_channels).expand_as(new.weight))
        if old.bias is not None and new.bias is not None:
            new.bias.copy_(old.bias)
            new.bias.requires_grad_(old.bias.requires_grad)
    new.weight.requires_grad_(small_images or weight.requires_grad)
    return new.train(old.training)
