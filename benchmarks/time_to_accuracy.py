"""Training time to 98.0 % on MNIST's test images: the usual tutorial loop against this package's recipe.

    TORCHCLINIC_DATA=DIR python benchmarks/time_to_accuracy.py [--seeds 5] [--threads 2] [--out docs/time-to-accuracy.md]

Same network (784-256-128-10, BatchNorm, Dropout 0.2), same device, same threads, taken in turn within
one run, seed by seed. Both are tested after every epoch; only training is timed, reading the data included, tests and
building left out.
"""

import argparse
import platform
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from torchclinic.data import Mnist, load_mnist
from torchclinic.data.mnist import MEAN, STD
from torchclinic.models import build
from torchclinic.training import RECIPES, Settings, evaluate, train

TARGET = 0.98
MODEL = "modern"
TUTORIAL_BATCH = 64
TUTORIAL_RATE = 1e-3
TUTORIAL_MAX_EPOCHS = 20


@dataclass(frozen=True)
class Trial:
    """One training of one seed. Seconds are those until the first test at or above TARGET; None if there was none."""

    seed: int
    seconds: float | None
    epochs: int | None
    seconds_per_epoch: float
    final_accuracy: float


class PilDigits(Dataset):
    """What torchvision's MNIST with ToTensor and Normalize does per image, written out: torchvision is not needed."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self.images[index].numpy())
        x = torch.from_numpy(np.array(picture)).view(28, 28, 1).permute(2, 0, 1).contiguous().float().div(255)
        return x.sub_(MEAN).div_(STD), int(self.labels[index])


def tutorial(data: Mnist, seed: int) -> Trial:
    torch.manual_seed(seed)
    model = build(MODEL)
    loader = DataLoader(PilDigits(data.train_images, data.train_labels), batch_size=TUTORIAL_BATCH, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=TUTORIAL_RATE)
    seconds: list[float] = []
    accuracies: list[float] = []
    while len(accuracies) < TUTORIAL_MAX_EPOCHS and max(accuracies, default=0) < TARGET:
        start = time.perf_counter()
        tutorial_epoch(model, loader, optimizer)
        seconds.append(time.perf_counter() - start)
        accuracies.append(evaluate(model, data.test_images, data.test_labels).accuracy)
        print(f"  tutorial, seed {seed}, epoch {len(accuracies)}: {accuracies[-1]:.4f}, {seconds[-1]:.1f} s", flush=True)
    return trial(seed, seconds, accuracies)


def tutorial_epoch(model: nn.Module, loader: DataLoader, optimizer: torch.optim.Optimizer) -> None:
    model.train()
    running_loss = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()


def recipe(data: Mnist, seed: int, precision: str) -> Trial:
    settings = Settings(model=MODEL, data="mnist", seed=seed, precision=precision, recipe=RECIPES[MODEL])
    history = train(settings, data).history
    seconds = [epoch.seconds for epoch in history]
    accuracies = [epoch.test_accuracy or 0.0 for epoch in history]
    print(f"  recipe, seed {seed}: {accuracies}, {sum(seconds):.1f} s", flush=True)
    return trial(seed, seconds, accuracies)


def trial(seed: int, seconds: list[float], accuracies: list[float]) -> Trial:
    reached = next((number for number, accuracy in enumerate(accuracies, 1) if accuracy >= TARGET), None)
    return Trial(
        seed=seed,
        seconds=sum(seconds[:reached]) if reached else None,
        epochs=reached,
        seconds_per_epoch=statistics.mean(seconds),
        final_accuracy=accuracies[-1],
    )


def table(tutorials: list[Trial], recipes: list[Trial]) -> str:
    lines = [
        "| seed | tutorial: seconds (epochs) to 98.0 % | recipe: seconds (epochs) to 98.0 % | ratio | recipe's final accuracy |",
        "| --- | --- | --- | --- | --- |",
    ]
    for a, b in zip(tutorials, recipes, strict=True):
        share = f"1/{a.seconds / b.seconds:.1f}" if a.seconds and b.seconds else "-"
        lines.append(f"| {a.seed} | {cell(a)} | {cell(b)} | {share} | {b.final_accuracy:.4f} |")
    return "\n".join(lines)


def cell(trial: Trial) -> str:
    return "not reached" if trial.seconds is None else f"{trial.seconds:.1f} ({trial.epochs})"


def page(tutorials: list[Trial], recipes: list[Trial], threads: int, precision: str, clock: str) -> str:
    accuracies = [trial.final_accuracy for trial in recipes]
    both = [(a, b) for a, b in zip(tutorials, recipes, strict=True) if a.seconds and b.seconds]
    ratios = [a.seconds / b.seconds for a, b in both]
    slow, fast = (statistics.mean(trial.seconds_per_epoch for trial in trials) for trials in (tutorials, recipes))
    ours = RECIPES[MODEL]
    return f"""# Training time to 98.0 % on MNIST

Written by `benchmarks/time_to_accuracy.py`, n = {len(recipes)} seeds, both ways in turn, seed by seed, in one process.

{table(tutorials, recipes)}

- **Ratio** tutorial : recipe over the {len(ratios)} seeds in which both reached 98.0 %: mean {statistics.mean(ratios):.1f},
  median {statistics.median(ratios):.1f}, from {min(ratios):.1f} to {max(ratios):.1f}. Seconds per epoch: {slow:.2f} and {fast:.2f}.
- **The recipe's final test accuracy**: mean {statistics.mean(accuracies):.4f}, standard deviation
  {statistics.stdev(accuracies):.4f}, worst {min(accuracies):.4f}.
- **Same in both**: the network 784-256-128-10 with BatchNorm and Dropout 0.2, a test after every epoch; only
  training is timed, reading the data included, so time comes in whole epochs.
- **Tutorial**: `DataLoader` over PIL images, no workers, conversion and normalization per image (written here; the
  operations are those of torchvision's `ToTensor` and `Normalize`), batch {TUTORIAL_BATCH}, Adam at {TUTORIAL_RATE}, fp32.
- **Recipe**: `training.RECIPES["{MODEL}"]`, used by `torchclinic train --model {MODEL} --data mnist`: all images
  in one uint8 tensor, normalized by the batch; batch {ours.batch_size}, {ours.optimizer},
  {ours.schedule} up to {ours.learning_rate}, {ours.epochs} epochs, {precision}.
- **Machine**: {processor()}, {threads} thread{"s" if threads > 1 else ""}, torch {torch.__version__},
  Python {platform.python_version()}. {clock}
"""


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.processor()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32", help="of the recipe; the tutorial has fp32")
    parser.add_argument("--processor-time", action="store_true", help="for a busy machine; use one thread")
    parser.add_argument("--out", type=Path, default=Path("docs/time-to-accuracy.md"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    clock = "Seconds are wall-clock seconds; compare within a row, the machine's speed drifts."
    if arguments.processor_time:
        time.perf_counter = time.process_time  # in the package's loop too
        clock = "The machine was busy with other work: seconds are processor seconds of the one thread."
    data = load_mnist("mnist")
    tutorials, recipes = [], []
    for seed in range(arguments.seeds):
        tutorials.append(tutorial(data, seed))
        recipes.append(recipe(data, seed, arguments.precision))
        print(table(tutorials, recipes), flush=True)
        if seed:
            arguments.out.parent.mkdir(parents=True, exist_ok=True)
            arguments.out.write_text(page(tutorials, recipes, arguments.threads, arguments.precision, clock), encoding="utf8")


if __name__ == "__main__":
    main()
