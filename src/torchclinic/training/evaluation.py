"""What a classifier gets right: accuracy, loss, confusion, precision and recall, calibration."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchclinic.data import normalize
from torchclinic.errors import InputError
from torchclinic.training.modes import device_of, evaluating

CALIBRATION_BINS = 15


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Figures over `count` samples of C classes. Precision, recall and F1 are 0 where their denominator is."""

    accuracy: float
    loss: float  # mean cross-entropy, nats
    confusion: Tensor  # int64 [C, C]: rows the true class, columns the predicted
    precision: Tensor  # float64 [C]
    recall: Tensor  # float64 [C]
    f1: Tensor  # float64 [C]
    calibration_error: float
    probabilities: Tensor  # float32 [n, C], on the CPU like everything here
    predictions: Tensor  # int64 [n]
    labels: Tensor  # int64 [n]

    @property
    def count(self) -> int:
        return len(self.labels)

    def worst(self, count: int) -> Tensor:
        """Indices of misclassified samples, the one that gave its true class the least probability first."""
        of_truth = self.probabilities.gather(1, self.labels[:, None]).squeeze(1)
        wrong = torch.nonzero(self.predictions != self.labels).squeeze(1)
        return wrong[of_truth[wrong].argsort(stable=True)][:count]

    def to_dict(self) -> dict[str, Any]:
        columns = zip(self.precision, self.recall, self.f1, self.confusion.sum(1), strict=True)
        return {
            "accuracy": self.accuracy,
            "loss": self.loss,
            "count": self.count,
            "confusion": self.confusion.tolist(),
            "per_class": [
                {"class": c, "precision": p.item(), "recall": r.item(), "f1": f.item(), "count": int(n)}
                for c, (p, r, f, n) in enumerate(columns)
            ],
            "calibration_error": self.calibration_error,
        }


def evaluate(
    model: nn.Module, images: Tensor, labels: Tensor, batch_size: int = 1000, *, prepare: Callable[[Tensor], Tensor] = normalize
) -> Evaluation:
    """Evaluate `model` on `images` [n, ...] (uint8 digits by default) and `labels` int64 [n].

    `prepare` turns a batch, already on the model's device, into the model's input. The model is evaluated in eval mode
    without gradients and handed back in the modes it had.

    Raises: InputError if there is no sample or not one label per image.
    """
    if len(images) == 0 or len(images) != len(labels):
        raise InputError(f"{len(images)} images and {len(labels)} labels: evaluation needs one label per image.")
    device = device_of(model)
    with evaluating(model):
        batches = (model(prepare(batch.to(device))).float().cpu() for batch in torch.split(images, batch_size))
        logits = torch.cat(list(batches))
    return summarize(logits, labels.cpu())


def summarize(logits: Tensor, labels: Tensor) -> Evaluation:
    """The figures from logits float32 [n, C] and labels int64 [n]."""
    classes = logits.shape[1]
    probabilities = logits.softmax(1)
    predictions = logits.argmax(1)
    confusion = torch.bincount(labels * classes + predictions, minlength=classes**2).view(classes, classes)
    right = confusion.diagonal().double()
    precision = right / confusion.sum(0).clamp(min=1)
    recall = right / confusion.sum(1).clamp(min=1)
    return Evaluation(
        accuracy=(predictions == labels).double().mean().item(),
        loss=F.cross_entropy(logits, labels).item(),
        confusion=confusion,
        precision=precision,
        recall=recall,
        f1=2 * precision * recall / (precision + recall).clamp(min=torch.finfo(torch.float64).tiny),
        calibration_error=calibration_error(probabilities, labels),
        probabilities=probabilities,
        predictions=predictions,
        labels=labels,
    )


def calibration_error(probabilities: Tensor, labels: Tensor, bins: int = CALIBRATION_BINS) -> float:
    """Expected calibration error: mean over samples of |accuracy - mean confidence| of the sample's bin.

    Confidence is the largest probability; the bins ((m-1)/M, m/M] are of equal width.

    Reference: Guo et al. 2017, arXiv:1706.04599, eq. 3.
    """
    confidence, predictions = probabilities.double().max(1)
    member = (confidence * bins).ceil().long().clamp(1, bins) - 1
    gap = (predictions == labels).double() - confidence
    return torch.zeros(bins, dtype=torch.float64).index_add_(0, member, gap).abs().sum().item() / len(labels)
