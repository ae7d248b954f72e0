"""The single-image stress test: one image through a classifier, in eval mode and in train mode.

In eval mode a prediction is a function of the image. In train mode it is not: BatchNorm normalizes with the statistics of
whatever else is in the batch, dropout draws a new mask, and each forward pass moves the running statistics. With a
batch of one, BatchNorm over vectors has one value per channel: its variance needs n − 1 = 0 degrees of freedom.

Reference: Ioffe and Szegedy 2015, arXiv:1502.03167, algorithms 1 and 2; Srivastava et al. 2014, JMLR 15, section 10.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from torchclinic.errors import InputError
from torchclinic.instruments.guard import untouched
from torchclinic.instruments.outputs import class_probabilities
from torchclinic.report.model import Claim, Prose, Section, Table
from torchclinic.report.results import Report, Reported
from torchclinic.units import format_number, format_share

SINGLE_VALUE = (
    "BatchNorm in train mode divides by the batch's own standard deviation. One image gives one value per channel: the "
    "deviation from the mean is 0 and the unbiased variance divides by n − 1 = 0, so there is nothing to normalize with. "
    "Call `model.eval()` before predicting: the running statistics take the batch's place."
)


@dataclass(frozen=True, slots=True)
class Predictions:
    """What repeated passes predicted for one image, and what they did to the buffers."""

    classes: tuple[int, ...]
    confidences: tuple[float, ...]  # probability of the class that eval mode predicts
    buffer_drift: float  # largest absolute change of a floating-point buffer, in the buffer's unit
    changed_buffers: tuple[str, ...]
    error: str | None = None

    @property
    def spread(self) -> float:
        return max(self.confidences) - min(self.confidences) if self.confidences else 0.0

    def to_dict(self) -> dict[str, Any]:
        return {
            "error": self.error,
            "classes": list(self.classes),
            "confidences": list(self.confidences),
            "confidence_spread": self.spread,
            "buffer_drift": self.buffer_drift,
            "changed_buffers": list(self.changed_buffers),
        }


@dataclass(frozen=True, slots=True)
class StressTest(Reported):
    """Result of `stress_test`. `mates`: train mode, the same image beside different neighbours, same dropout mask."""

    predicted_class: int
    confidence: float
    repeatable: bool
    train: Predictions
    mates: Predictions
    polluted: Predictions  # eval mode again, after the passes in train mode
    restored: bool
    repetitions: int
    layers: tuple[str, ...] = field(default=())  # modules that behave differently in train mode

    def to_dict(self) -> dict[str, Any]:
        return {
            "eval": {"class": self.predicted_class, "confidence": self.confidence, "repeatable": self.repeatable},
            "train": self.train.to_dict(),
            "mates": self.mates.to_dict(),
            "polluted": self.polluted.to_dict(),
            "layers": list(self.layers),
            "repetitions": self.repetitions,
            "restored": self.restored,
        }

    def report(self) -> Report:
        return Report(
            title="Single-image stress test",
            sections=(
                Section("Eval mode", (Prose(self._eval_text()), *self._eval_claims())),
                Section("Train mode, the image alone", (Prose(self._alone_text()),)),
                Section("Train mode, the image in company", (Prose(self._company_text()), self._table())),
            ),
            summary=f"Eval: class {self.predicted_class} with {format_share(self.confidence)}, "
            + ("identical" if self.repeatable else "NOT identical")
            + f" over {self.repetitions} passes. Train: {self._alone_text()}",
            data=self.to_dict(),
        )

    def _eval_text(self) -> str:
        return f"Class {self.predicted_class} with {format_share(self.confidence)}."

    def _eval_claims(self) -> tuple[Claim, ...]:
        repeat = f"{self.repetitions} eval-mode passes give the same bits"
        return (
            Claim("stress.repeatable", repeat, True, self.repeatable),
            Claim("stress.restored", "The model is handed back bit-identical", True, self.restored),
        )

    def _alone_text(self) -> str:
        if self.train.error:
            touched = ", ".join(self.train.changed_buffers)
            aside = f" Even the pass that failed changed {touched}." if touched else ""
            return f"`{self.train.error}` {SINGLE_VALUE}{aside}"
        if not self.layers:
            return "No module behaves differently in train mode: there is nothing to spread."
        classes = sorted(set(self.train.classes))
        return (
            f"{self.repetitions} passes predict {_classes(classes)}; the probability of class {self.predicted_class} "
            f"spreads over {format_share(self.train.spread)}, and buffers drift by {format_number(self.train.buffer_drift)}."
        )

    def _company_text(self) -> str:
        classes = sorted(set(self.mates.classes))
        return (
            f"Beside different batch mates, with the same dropout mask, train mode predicts {_classes(classes)} for the "
            f"same image; the probability of class {self.predicted_class} spreads over {format_share(self.mates.spread)}. "
            f"These passes moved the buffers by up to {format_number(self.mates.buffer_drift)}; evaluated afterwards, eval "
            f"mode gives class {self.polluted.classes[0]} with {format_share(self.polluted.confidences[0])} "
            f"(before: {format_share(self.confidence)})."
        )

    def _table(self) -> Table:
        rows = [("eval", self.predicted_class, self.confidence)]
        rows += [("train, alone", *row) for row in zip(self.train.classes, self.train.confidences, strict=True)]
        rows += [("train, in company", *row) for row in zip(self.mates.classes, self.mates.confidences, strict=True)]
        rows += [("eval, after train-mode passes", self.polluted.classes[0], self.polluted.confidences[0])]
        return Table(("mode", "class", f"probability of class {self.predicted_class}"), tuple(rows), "Every pass")


def stress_test(model: nn.Module, image: Tensor, *, mates: Tensor | None = None, repetitions: int = 8, seed: int = 0) -> StressTest:
    """Predict one image in eval and in train mode, and show what train mode does to the prediction and to the model.

    `image`: one normalized input, with or without a batch dimension of 1. `mates`: other inputs [n, ...] to stand beside
    it in the batch; by default made from the image (mirrored, shuffled, darkened, noise).
    The model is handed back bit-identical: parameters, buffers, gradients, modes and random state.

    Raises: InputError if the model cannot predict the image in eval mode, or does not output class scores [B, classes].
    Reference: Ioffe and Szegedy 2015, arXiv:1502.03167, algorithms 1 and 2.
    """
    if repetitions < 2:
        raise InputError(f"repetitions={repetitions}: at least 2 are needed to see a difference.")
    before = _fingerprint(model)
    with untouched(model), torch.no_grad():
        batch = _as_batch(model, image)
        company = _mates(batch, seed) if mates is None else mates.to(batch)
        with _mode(model, training=False):
            passes = [_probabilities(model, batch)[0] for _ in range(repetitions)]
            reference = passes[0]
            predicted = int(reference.argmax())
            repeatable = all(torch.equal(reference, other) for other in passes)
        with _mode(model, training=True), _restored_buffers(model):
            alone = _observe(model, [batch] * repetitions, predicted, seed, same_mask=False)
        with _mode(model, training=True):
            groups = [torch.cat([batch, other]) for other in company.split(max(1, len(company) // repetitions))]
            beside = _observe(model, groups[:repetitions], predicted, seed, same_mask=True)
        with _mode(model, training=False):
            after = _observe(model, [batch], predicted, seed, same_mask=True)
        layers = tuple(name for name, module in model.named_modules() if _depends_on_mode(module))
    restored = before == _fingerprint(model)
    return StressTest(predicted, float(reference[predicted]), repeatable, alone, beside, after, restored, repetitions, layers)


def _observe(model: nn.Module, batches: list[Tensor], label: int, seed: int, *, same_mask: bool) -> Predictions:
    """Predict the first input of each batch. A BatchNorm that refuses a single value is a result, not a failure."""
    start = {name: buffer.clone() for name, buffer in model.named_buffers()}
    classes: list[int] = []
    confidences: list[float] = []
    error: str | None = None
    for index, batch in enumerate(batches):
        torch.manual_seed(seed if same_mask else seed + index)
        try:
            probabilities = _probabilities(model, batch)[0]
        except ValueError as refusal:
            if "more than 1 value per channel" not in str(refusal):
                raise
            error = f"ValueError: {refusal}"
            break
        classes.append(int(probabilities.argmax()))
        confidences.append(float(probabilities[label]))
    moved = {name: _distance(buffer, start[name]) for name, buffer in model.named_buffers()}
    floating = [moved[name] for name, buffer in model.named_buffers() if buffer.is_floating_point()]
    changed = tuple(name for name, buffer in model.named_buffers() if not torch.equal(buffer, start[name]))
    return Predictions(tuple(classes), tuple(confidences), max(floating, default=0.0), changed, error)


def _probabilities(model: nn.Module, batch: Tensor) -> Tensor:
    return class_probabilities(model(batch), len(batch))


def _as_batch(model: nn.Module, image: Tensor) -> Tensor:
    """The image as a batch of one, [1, ...]: the reading of its dimensions that the model accepts in eval mode."""
    if image.numel() == 0:
        raise InputError(f"The image has shape {tuple(image.shape)} and no elements; give one image.")
    readings = [image.unsqueeze(0)]
    if image.dim() > 1 and len(image) == 1:
        readings.insert(0 if image.dim() in (2, 4) else 1, image)
    reason: Exception | None = None
    for batch in readings:
        try:
            with _mode(model, training=False):
                _probabilities(model, batch)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            reason = reason or error
        else:
            return batch
    raise InputError(
        f"The model does not predict an image of shape {tuple(image.shape)} and type {image.dtype} in eval mode: "
        f"{str(reason).splitlines()[0]}"
    ) from reason


def _mates(batch: Tensor, seed: int) -> Tensor:
    """Thirty-two other inputs made from one: mirrored, shuffled, darkened, and noise of the same mean and deviation."""
    generator = torch.Generator().manual_seed(seed)
    flat = batch.reshape(-1)
    shuffled = [flat[torch.randperm(len(flat), generator=generator)] for _ in range(8)]
    scaled = [flat * factor for factor in torch.linspace(-1, 2, 8).tolist()]
    noise = torch.randn(16, len(flat), generator=generator).to(flat) * flat.std(correction=0) + flat.mean()
    lowest, mirrored = flat.min().expand_as(flat), flat.flip(0)
    rows = [mirrored, lowest, *shuffled[:7], *scaled[:7], *noise]
    return torch.stack([rows[i] for i in torch.randperm(len(rows), generator=generator)]).view(-1, *batch.shape[1:])


@contextmanager
def _mode(model: nn.Module, *, training: bool) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextmanager
def _restored_buffers(model: nn.Module) -> Iterator[None]:
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        yield
    finally:
        for buffer, copy in buffers:
            buffer.copy_(copy)


def _fingerprint(model: nn.Module) -> list[tuple[str, bool | bytes]]:
    """Every mode and every bit of parameters, buffers and gradients, and the random state."""
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    tensors |= {f"{name}.grad": p.grad for name, p in model.named_parameters() if p.grad is not None}
    content: list[tuple[str, bool | bytes]] = [(name, _bytes(tensor)) for name, tensor in tensors.items()]
    content += [(name, module.training) for name, module in model.named_modules()]
    return [*content, ("random state", _bytes(torch.get_rng_state()))]


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()


def _distance(a: Tensor, b: Tensor) -> float:
    return float((a.double() - b.double()).abs().max()) if a.numel() else 0.0


def _depends_on_mode(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.batchnorm._NormBase | nn.modules.dropout._DropoutNd)


def _classes(classes: list[int]) -> str:
    return f"class {classes[0]} each time" if len(classes) == 1 else f"classes {', '.join(map(str, classes))}"
