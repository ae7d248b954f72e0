"""Residual networks in plain code: ResNet-18/34/50 (ImageNet) and ResNet-20/32/44/56 (CIFAR).

Reference: He, Zhang, Ren, Sun 2015, arXiv:1512.03385, section 3.3 (ImageNet, table 1) and section 4.2 (CIFAR, table 6).
Parameter names and shapes of the ImageNet networks are those of torchvision, so their weights load unchanged.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchclinic.models.weights import Weights, load_weights


def conv3x3(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, kernel_size=3, stride=stride, padding=1, bias=False)


def conv1x1(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False)


class PadShortcut(nn.Module):
    """Shortcut without parameters: every `stride`-th pixel, new channels filled with zeros (option A of the paper)."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.extra_channels = out_channels - in_channels
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:  # [B, C, H, W] -> [B, C + extra, H / stride, W / stride]
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra_channels))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: y = relu(x + f(x)), equation 1 of the paper."""

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int = 1, downsample: nn.Module | None = None) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, channels, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(channels, channels)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return self.relu(out + shortcut)  # type: ignore[no-any-return]


class Bottleneck(nn.Module):
    """1x1 down, 3x3 (which carries the stride), 1x1 up by four, and a shortcut."""

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int = 1, downsample: nn.Module | None = None) -> None:
        super().__init__()
        self.conv1 = conv1x1(in_channels, channels)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = conv3x3(channels, channels, stride)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = conv1x1(channels, channels * self.expansion)
        self.bn3 = nn.BatchNorm2d(channels * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return self.relu(out + shortcut)  # type: ignore[no-any-return]


Block = type[BasicBlock] | type[Bottleneck]


def _stage(block: Block, in_channels: int, channels: int, depth: int, stride: int, *, projection: bool) -> nn.Sequential:
    out_channels = channels * block.expansion
    downsample: nn.Module | None = None
    if projection and (stride != 1 or in_channels != out_channels):
        downsample = nn.Sequential(conv1x1(in_channels, out_channels, stride), nn.BatchNorm2d(out_channels))
    elif stride != 1 or in_channels != out_channels:
        downsample = PadShortcut(in_channels, out_channels, stride)
    blocks: list[nn.Module] = [block(in_channels, channels, stride, downsample)]
    blocks += [block(out_channels, channels) for _ in range(depth - 1)]
    return nn.Sequential(*blocks)


def _initialize(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


class ResNet(nn.Module):
    """ImageNet network: 7x7 stem, four stages, global average pooling, linear head. Input [B, 3, H, W]."""

    def __init__(self, block: Block, depths: Sequence[int], num_classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = _stage(block, 64, 64, depths[0], 1, projection=True)
        self.layer2 = _stage(block, 64 * block.expansion, 128, depths[1], 2, projection=True)
        self.layer3 = _stage(block, 128 * block.expansion, 256, depths[2], 2, projection=True)
        self.layer4 = _stage(block, 256 * block.expansion, 512, depths[3], 2, projection=True)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        _initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))  # type: ignore[no-any-return]


class CifarResNet(nn.Module):
    """CIFAR network of depth 6n + 2: 3x3 stem, three stages of n blocks, shortcuts without parameters.

    Input [B, 3, 32, 32].
    """

    def __init__(self, depth: int, num_classes: int = 10) -> None:
        super().__init__()
        n = (depth - 2) // 6
        self.conv1 = conv3x3(3, 16)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = _stage(BasicBlock, 16, 16, n, 1, projection=False)
        self.layer2 = _stage(BasicBlock, 16, 32, n, 2, projection=False)
        self.layer3 = _stage(BasicBlock, 32, 64, n, 2, projection=False)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(64, num_classes)
        _initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(torch.flatten(self.avgpool(x), 1))  # type: ignore[no-any-return]


def resnet18(weights: Weights = None, num_classes: int = 1000) -> ResNet:
    """ResNet-18. `weights`: None (random), "imagenet" (downloaded once), "torchvision" (through it), or a file.

    Raises: InputError, DataError or CheckpointError, in one sentence, if the weights cannot be had or do not fit.
    """
    return load_weights(ResNet(BasicBlock, (2, 2, 2, 2), num_classes), "resnet18", weights)


def resnet34(weights: Weights = None, num_classes: int = 1000) -> ResNet:
    """ResNet-34; `weights` as for `resnet18`."""
    return load_weights(ResNet(BasicBlock, (3, 4, 6, 3), num_classes), "resnet34", weights)


def resnet50(weights: Weights = None, num_classes: int = 1000) -> ResNet:
    """ResNet-50 with the stride in the 3x3 convolutions; `weights` as for `resnet18`."""
    return load_weights(ResNet(Bottleneck, (3, 4, 6, 3), num_classes), "resnet50", weights)


def resnet20(weights: Weights = None, num_classes: int = 10) -> CifarResNet:
    """ResNet-20 for 32x32 images. `weights`: None (random), "cifar10" (carried by the package), or a file.

    Raises: InputError or CheckpointError, in one sentence, if there are no such weights or they do not fit.
    """
    return load_weights(CifarResNet(20, num_classes), "resnet20", weights)


def resnet32(weights: Weights = None, num_classes: int = 10) -> CifarResNet:
    """ResNet-32 for 32x32 images; `weights`: None or a file."""
    return load_weights(CifarResNet(32, num_classes), "resnet32", weights)


def resnet44(weights: Weights = None, num_classes: int = 10) -> CifarResNet:
    """ResNet-44 for 32x32 images; `weights`: None or a file."""
    return load_weights(CifarResNet(44, num_classes), "resnet44", weights)


def resnet56(weights: Weights = None, num_classes: int = 10) -> CifarResNet:
    """ResNet-56 for 32x32 images; `weights`: None or a file."""
    return load_weights(CifarResNet(56, num_classes), "resnet56", weights)
