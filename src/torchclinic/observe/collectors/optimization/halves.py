"""Gradients and updates that half precision cannot hold."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from torchclinic.instruments.values import is_plain
from torchclinic.observe.collector import Collector
from torchclinic.observe.events import ModelBegins, StepEnds
from torchclinic.observe.records import HalfUse
from torchclinic.observe.state.tracks import OptimizerTrack, nonzero

HALF_NORMAL = 2.0**-14  # the smallest normal number of float16; below it, digits are lost, below 2⁻²⁵ everything
HALF_COARSE = 4 * 2.0**-24  # four times its smallest number: what is smaller keeps two binary digits at most
MOST_ELEMENTS = 4_000_000  # looked at for lost digits, per step


class Halves(Collector):
    def prepare(self) -> None:
        self._uses: dict[str, HalfUse] = {}  # by kind
        self._layers_lost: dict[int, HalfUse] = {}  # by parameter
        self._autocast = False  # to float16
        self._line = ""

    def model_begins(self, event: ModelBegins) -> None:
        if not event.forward.to_train or event.forward.recomputed:
            return
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) is torch.float16:
                self._autocast, self._line = True, self._line or event.forward.line

    def step_ends(self, event: StepEnds) -> None:
        if event.live:
            self._half(event.live, event.before, event.track)
        else:
            self._vanished(event.track)

    def _half(self, live: list[Tensor], before: list[Tensor], track: OptimizerTrack) -> None:
        """Elements whose update or gradient half precision could not hold."""
        gradients = {p.data_ptr(): p.grad for p in track.parameters() if p.grad is not None and is_plain(p.grad)}
        pairs = [
            (now, then, gradients[now.data_ptr()]) for now, then in zip(live, before, strict=True) if now.data_ptr() in gradients
        ]
        narrow = [entry for entry in pairs if entry[0].dtype in (torch.float16, torch.bfloat16)]
        if not (narrow or self._autocast) or sum(now.numel() for now, _, _ in pairs) > MOST_ELEMENTS:
            return
        if narrow:
            moved = sum(int((grad != 0).sum()) for _, _, grad in narrow)
            still = sum(int(((now == then) & (grad != 0)).sum()) for now, then, grad in narrow)
            self._line = self._line or track.line
            self._lost("update", str(narrow[0][0].dtype), moved, still)
        halves = [grad for now, _, grad in pairs if self._autocast or now.dtype is torch.float16]
        if halves:
            nonzero_ = sum(int((grad != 0).sum()) for grad in halves)
            tiny = sum(int(((grad != 0) & (grad.abs() < HALF_NORMAL)).sum()) for grad in halves)
            self._lost("gradient", "torch.float16", nonzero_, tiny)
            self._coarse(track)

    def _coarse(self, track: OptimizerTrack) -> None:
        """Matrices whose gradient is zero for the most part, and hardly a number where it is not."""
        for parameter in track.parameters():
            gradient = parameter.grad
            if parameter.dim() < 2 or gradient is None or not is_plain(gradient):
                continue
            there = int((gradient != 0).sum())
            small = int(((gradient != 0) & (gradient.abs() <= HALF_COARSE)).sum())
            name = self.state.training.name_of(parameter)
            use = self._layers_lost.setdefault(
                id(parameter), HalfUse(self.state.clock.step, self._line, "float16", "layer", 0, 0, name, steps=0)
            )
            use.elements += gradient.numel()
            use.lost += gradient.numel() - there
            use.steps += 1
            use.step_share += 0 < there <= 2 * small and 2 * there <= gradient.numel()

    def _vanished(self, track: OptimizerTrack) -> None:
        """No values were kept, perhaps because no gradient has a single entry that is not zero."""
        if not self.state.clock.full:
            return
        entries = [p.grad for p in track.parameters() if p.grad is not None and is_plain(p.grad)]
        if entries and (self._autocast or entries[0].dtype is torch.float16) and not any(nonzero(entries)):
            self._line = self._line or track.line
            numel = sum(gradient.numel() for gradient in entries)
            self._lost("gradient", "torch.float16", numel, numel)

    def _lost(self, kind: str, dtype: str, elements: int, lost: int) -> None:
        use = self._uses.get(kind)
        if use is None:
            use = self._uses[kind] = HalfUse(self.state.clock.step, self._line, dtype.removeprefix("torch."), kind, 0, 0, steps=0)
        use.elements += elements
        use.lost += lost
        use.steps += 1
        use.step_share += elements > 0 and lost >= 0.9 * elements  # a count until the records are collected

    def _coarse_layers(self) -> Iterator[HalfUse]:
        """The matrices that were coarse in nine tenths of the steps as one, unless all gradients together are lost."""
        coarse = [use for use in self._layers_lost.values() if use.step_share >= 0.9 * use.steps]
        whole = self._uses.get("gradient")
        if coarse and (whole is None or whole.step_share < 0.9 * whole.steps):
            elements, lost = sum(use.elements for use in coarse), sum(use.lost for use in coarse)
            steps, scaled = min(use.steps for use in coarse), self.state.scaling.used
            share = min(use.step_share / use.steps for use in coarse)
            yield replace(coarse[0], elements=elements, lost=lost, steps=steps, step_share=share, scaled=scaled, count=len(coarse))

    def records(self) -> Iterator[HalfUse]:
        for half in self._uses.values():
            yield replace(half, step_share=half.step_share / half.steps, scaled=self.state.scaling.used)
        yield from self._coarse_layers()
