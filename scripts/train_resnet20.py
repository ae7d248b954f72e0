"""Train the ResNet-20 that the package carries, on CIFAR-10.

    TORCHCLINIC_DATA=DIR python scripts/train_resnet20.py --out resnet20-cifar10.safetensors --log resnet20-cifar10.jsonl

The weights in the package come from three runs, whose logs lie beside them: 36 epochs with the defaults, then 12 more with
`--start resnet20-cifar10.safetensors --peak 0.1 --weight-decay 1e-4 --label-smoothing 0 --epochs 12 --seed 1`, then 60
with `--start resnet20-cifar10.safetensors --peak 0.2 --weight-decay 4e-4 --label-smoothing 0 --epochs 60 --seed 2`.

Recipe: batch 128, SGD with Nesterov momentum, one-cycle learning rate, random crop (reflect padding 4) and flip,
bf16 autocast, channels_last. The published figure for ResNet-20 is 8.75 % error (arXiv:1512.03385, table 6).
"""

import argparse
import io
import itertools
import json
import os
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from torchclinic.models.resnet import CifarResNet

BATCH = 128
MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)


def load(path: Path) -> tuple[Tensor, Tensor]:
    """Decode an archive to images [n, 3, 32, 32], normalized float32, and labels [n], int64."""
    archive = np.load(path)
    data, offsets = archive["jpeg"].tobytes(), archive["offsets"]
    pictures = [np.asarray(Image.open(io.BytesIO(data[start:stop])).convert("RGB")) for start, stop in itertools.pairwise(offsets)]
    images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float().div_(255)
    mean, std = torch.tensor(MEAN).view(1, 3, 1, 1), torch.tensor(STD).view(1, 3, 1, 1)
    return (images - mean) / std, torch.from_numpy(archive["labels"].astype(np.int64))


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Random crops from reflect-padded images [B, 3, 40, 40] and random horizontal flips."""
    B = len(images)
    shifts = torch.randint(0, 9, (2, B), generator=generator)
    rows = shifts[0][:, None] + torch.arange(32)
    columns = shifts[1][:, None] + torch.arange(32)
    flip = torch.rand(B, generator=generator) < 0.5
    columns = torch.where(flip[:, None], columns.flip(1), columns)
    samples = torch.arange(B)[:, None, None]
    return images.permute(0, 2, 3, 1)[samples, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


@torch.no_grad()
def accuracy(model: torch.nn.Module, images: Tensor, labels: Tensor) -> float:
    model.eval()
    correct = sum(int((model(x).argmax(1) == y).sum()) for x, y in zip(images.split(500), labels.split(500), strict=True))
    model.train()
    return correct / len(labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("TORCHCLINIC_DATA"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="weights to go on from")
    parser.add_argument("--epochs", type=int, default=36)
    parser.add_argument("--peak", type=float, default=0.3, help="largest learning rate")
    parser.add_argument("--weight-decay", type=float, default=5e-4)
    parser.add_argument("--label-smoothing", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    generator = torch.Generator().manual_seed(options.seed)

    images, labels = load(options.data_dir / "cifar10" / "train.npz")
    test_images, test_labels = load(options.data_dir / "cifar10" / "test.npz")
    padded = F.pad(images, (4, 4, 4, 4), mode="reflect")
    model = CifarResNet(20).to(memory_format=torch.channels_last)
    if options.start is not None:
        model.load_state_dict(load_file(options.start))
    optimizer = torch.optim.SGD(model.parameters(), lr=options.peak, momentum=0.9, nesterov=True, weight_decay=options.weight_decay)
    steps = len(labels) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.peak, total_steps=options.epochs * steps, pct_start=0.2)
    start = time.perf_counter()
    with options.log.open("w") as log:
        for epoch in range(options.epochs):
            total = 0.0
            for index in torch.randperm(len(labels), generator=generator)[: steps * BATCH].view(steps, BATCH):
                batch = augment(padded[index], generator)
                with torch.autocast("cpu", torch.bfloat16):
                    loss = F.cross_entropy(model(batch), labels[index], label_smoothing=options.label_smoothing)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                total += loss.item()
            last = epoch + 1 == options.epochs
            row = {
                "epoch": epoch + 1,
                "loss": round(total / steps, 4),
                "test_accuracy": accuracy(model, test_images, test_labels) if last or epoch % 5 == 4 else None,
                "seconds": round(time.perf_counter() - start, 1),
                "seed": options.seed,
                "torch": torch.__version__,
            }
            log.write(json.dumps(row) + "\n")
            log.flush()
            state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
            save_file(state, options.out, metadata={"accuracy": str(row["test_accuracy"]), "epochs": str(epoch + 1)})


if __name__ == "__main__":
    main()
