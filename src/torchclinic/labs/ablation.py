"""What do BatchNorm and Dropout each contribute, with SGD and with Adam?

    torchclinic lab nn-architecture [--data mnist]

Fourth script of the lab: the network with neither, one, and both, trained for the same number of steps.
Source: Ioffe and Szegedy 2015, arXiv:1502.03167, sections 3.3 and 4.2.
"""

import statistics

import torch

from torchclinic.data import load_mnist
from torchclinic.labs.lab import Lab
from torchclinic.labs.optimizer_race import BATCH, OPTIMIZERS, WIDTHS, network, train
from torchclinic.report.model import Value
from torchclinic.training import evaluate

EPOCHS = {"subset": 2, "mnist": 1}
RUNS = (("SGD", 0.1), ("SGD", 1.0), ("Adam", 1e-3))  # optimizer and learning rate


def run(lab: Lab) -> None:
    data = load_mnist("mnist" if lab.options.data == "mnist" else "subset", lab.options.data_dir)
    lab.section("What each part contributes")
    steps = EPOCHS[lab.options.data] * -(-len(data.train_labels) // BATCH)
    seeds = range(lab.seed, lab.seed + (2 if lab.fast else 3))
    parts = {"none": (False, False), "BatchNorm": (True, False), "Dropout": (False, True), "both": (True, True)}
    cells: dict[tuple[str, int], list[float]] = {}
    for part, (norm, dropout) in parts.items():
        for column, (name, rate) in enumerate(RUNS):
            for seed in seeds:
                torch.manual_seed(seed)
                model = network(WIDTHS[lab.options.data], norm=norm, dropout=dropout)
                train(model, OPTIMIZERS[name](model, rate), data, seed, steps, lambda _: False)
                accuracy = evaluate(model, data.test_images, data.test_labels).accuracy
                cells.setdefault((part, column), []).append(accuracy)
    rows: list[list[Value]] = [
        [part, *(_summary(cells[part, column]) for column in range(len(RUNS)))] for part in parts
    ]
    headings = ("parts", *(f"{name} at {rate:g}" for name, rate in RUNS))
    lab.table(headings, rows, f"Test accuracy after {steps} steps, {len(seeds)} seeds: mean ± standard deviation")
    mean = {key: statistics.mean(values) for key, values in cells.items()}
    lab.claim(
        "batchnorm-gains", f"After {steps} steps of SGD at 0.1, BatchNorm has gained test accuracy", predicted=0.0,
        measured=mean["BatchNorm", 0] - mean["none", 0], relation=">", source="arXiv:1502.03167, section 4.2",
    )
    lab.claim(
        "batchnorm-allows-higher-rates", "Raising SGD's rate to 1 harms the plain one more",
        predicted=mean["BatchNorm", 1] - mean["BatchNorm", 0], measured=mean["none", 1] - mean["none", 0], relation="<",
        unit="change of test accuracy", source="arXiv:1502.03167, section 3.3",
    )


def _summary(values: list[float]) -> str:
    spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.4f}{spread}"
