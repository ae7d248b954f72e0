"""Three ways to learn a new task, on the same split and seed."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchclinic.data.image_folder import ImageFolder
from torchclinic.errors import InputError
from torchclinic.surgery.freezing import freeze, parameter_groups, unfreeze
from torchclinic.surgery.heads import find_head, replace_head
from torchclinic.surgery.proof import FreezeProof, verify_frozen
from torchclinic.theory.proportions import mcnemar_p_value, wilson_interval
from torchclinic.training import TensorBatches, evaluate, fit
from torchclinic.transfer_learning.backbones import Backbone
from torchclinic.transfer_learning.pictures import FallingRates, MovedPictures

METHODS = ("scratch", "frozen", "fine-tuned")


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast each method learns: fixed beforehand, the same for every data set."""

    scratch_epochs: int = 30
    head_epochs: int = 60
    fine_tune_epochs: int = 15
    batch_size: int = 32
    scratch_rate: float = 0.05
    head_rate: float = 1e-2
    fine_tune_rate: float = 5e-3
    weight_decay: float = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What one method reached on the held-out images."""

    method: str
    model: nn.Module
    correct: Tensor  # bool [n]
    recall: tuple[float, ...]  # per class
    trained: int  # parameters that trained
    proof: FreezeProof | None  # of the frozen method

    @property
    def accuracy(self) -> float:
        return self.correct.double().mean().item()

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval."""
        return wilson_interval(int(self.correct.sum()), len(self.correct))

    def p_value(self, other: "Outcome") -> float:
        """McNemar's exact probability that two equally good methods differ this much on these images."""
        only_self = int((self.correct & ~other.correct).sum())
        return mcnemar_p_value(only_self, int((other.correct & ~self.correct).sum()))

    def to_dict(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            "held_out": len(self.correct),
            "recall": list(self.recall),
            "trained_parameters": self.trained,
            "freezing_holds": self.proof.ok if self.proof else None,
        }


def transfer(
    backbone: Backbone,
    data: ImageFolder,
    methods: Sequence[str] = METHODS,
    *,
    seed: int = 0,
    schedule: Schedule | None = None,
    device: torch.device | str = "cpu",
    listen: Callable[[str], None] = lambda _: None,
) -> tuple[Outcome, ...]:
    """Learn `data` by each method. Nothing is selected on the held-out images: the last epoch counts.

    scratch: new weights. frozen: only a new head trains, and a real step on a snapshot proves that nothing else moves.
    fine-tuned: the frozen method's result, then all of it, with rates that fall towards the input. `listen` is told
    the method that begins.

    Raises:
        InputError: a method there is none of.

    Reference: Kumar et al. 2022, arXiv:2202.10054 (head first, then all); Howard and Ruder 2018, arXiv:1801.06146, 3.2.
    """
    if unknown := [method for method in methods if method not in METHODS]:
        raise InputError(f"{unknown[0]!r} is no method: choose from {', '.join(METHODS)}.")
    task = _Task(backbone, data, schedule or Schedule(), seed, torch.device(device))
    outcomes: dict[str, Outcome] = {}
    if "scratch" in methods:
        listen("scratch")
        outcomes["scratch"] = task.from_scratch()
    if {"frozen", "fine-tuned"} & set(methods):
        listen("frozen")
        outcomes["frozen"] = task.on_frozen_features()
    if "fine-tuned" in methods:
        listen("fine-tuned")
        outcomes["fine-tuned"] = task.fine_tuned(copy.deepcopy(outcomes["frozen"].model))
    return tuple(outcomes[method] for method in METHODS if method in methods)


@dataclass(frozen=True, slots=True)
class _Task:
    backbone: Backbone
    data: ImageFolder
    plan: Schedule
    seed: int
    device: torch.device

    def from_scratch(self) -> Outcome:
        model = self._network(trained=False)
        groups = parameter_groups(model, self.plan.scratch_rate, factor=1.0, weight_decay=self.plan.weight_decay)
        self._train_all(model, groups, self.plan.scratch_epochs)
        return self._outcome("scratch", model)

    def on_frozen_features(self) -> Outcome:
        model = self._network(trained=True)
        path = find_head(model)[0]
        freeze(model, keep=path)
        head = model.get_submodule(path)
        optimizer = torch.optim.AdamW(head.parameters(), lr=self.plan.head_rate, weight_decay=self.plan.weight_decay)
        proof = verify_frozen(model, lambda: self._step(model, optimizer))
        self._train_head(model, head, optimizer)
        return self._outcome("frozen", model, proof)

    def fine_tuned(self, model: nn.Module) -> Outcome:
        """From the frozen method's model, which is changed."""
        unfreeze(model)
        groups = parameter_groups(model, self.plan.fine_tune_rate, weight_decay=self.plan.weight_decay)
        self._train_all(model, groups, self.plan.fine_tune_epochs)
        return self._outcome("fine-tuned", model)

    def _network(self, *, trained: bool) -> nn.Module:
        torch.manual_seed(self.seed)
        model = self.backbone.build(trained=trained).to(self.device)
        replace_head(model, len(self.data.classes))
        return model

    def _step(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """One step as a training loop does it, through the whole network."""
        count = self.plan.batch_size
        images, labels = self.data.train_images[:count], self.data.train_labels[:count]
        model.train()
        optimizer.zero_grad()
        self._loss()(model(self.backbone.prepare(images.to(self.device))), labels.to(self.device)).backward()
        optimizer.step()

    def _train_head(self, model: nn.Module, head: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """A frozen backbone always gives the same features: they are computed once, and the head learns from them."""
        images, labels = self.data.train_images, self.data.train_labels
        if self.data.mirrored:
            images, labels = torch.cat([images, images.flip(3)]), torch.cat([labels, labels])
        features = self._features(model, head, images)
        batches = TensorBatches(features, labels, self.plan.batch_size, seed=self.seed, prepare=lambda x: x, device=self.device)
        rates = FallingRates(optimizer, self.plan.head_epochs * len(batches))
        fit(head, batches, optimizer, epochs=self.plan.head_epochs, loss_fn=self._loss(), callbacks=[rates])

    @torch.no_grad()
    def _features(self, model: nn.Module, head: nn.Module, images: Tensor) -> Tensor:
        """What the head receives, [n, features]."""
        received: list[Tensor] = []
        hook = head.register_forward_pre_hook(lambda _, inputs: received.append(inputs[0]))
        model.eval()
        for batch in torch.split(images, 64):
            model(self.backbone.prepare(batch.to(self.device)))
        hook.remove()
        return torch.cat(received)

    def _train_all(self, model: nn.Module, groups: list[dict[str, Any]], epochs: int) -> None:
        optimizer = torch.optim.SGD(groups, momentum=0.9, nesterov=True)
        batches = MovedPictures(self.data, self.plan.batch_size, self.seed, self.backbone.prepare, self.device)
        rates = FallingRates(optimizer, epochs * len(batches))
        fit(model, batches, optimizer, epochs=epochs, loss_fn=self._loss(), callbacks=[rates])

    def _loss(self) -> Callable[[Tensor, Tensor], Tensor]:
        """Cross-entropy; with unbalanced classes, weighed by the inverse of their counts."""
        if not self.data.unbalanced:
            return F.cross_entropy
        counts = torch.tensor([float(train) for train, _ in self.data.counts], device=self.device)
        return nn.CrossEntropyLoss(weight=counts.sum() / (len(counts) * counts))

    def _outcome(self, method: str, model: nn.Module, proof: FreezeProof | None = None) -> Outcome:
        result = evaluate(model, self.data.test_images, self.data.test_labels, batch_size=64, prepare=self.backbone.prepare)
        trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        correct = result.predictions == result.labels
        return Outcome(method, model.eval(), correct, tuple(result.recall.tolist()), trained, proof)


def weights_of(outcome: Outcome) -> Mapping[str, Tensor]:
    """The outcome's state dict, ready to be saved."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in outcome.model.state_dict().items()}
