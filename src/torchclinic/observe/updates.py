"""What happens to a gradient on its way into the weights: clipping, weight decay, half precision."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from torchclinic.instruments.values import is_plain
from torchclinic.observe.records import ClipUse, DecayUse, HalfUse
from torchclinic.observe.state.tracks import OptimizerTrack, nonzero
from torchclinic.script.lines import user_line

if TYPE_CHECKING:
    from torchclinic.observe.session import Session

HALF_NORMAL = 2.0**-14  # the smallest normal number of float16; below it, digits are lost, below 2⁻²⁵ everything
HALF_COARSE = 4 * 2.0**-24  # four times its smallest number: what is smaller keeps two binary digits at most
MOST_ELEMENTS = 4_000_000  # looked at for lost digits, per step
MOST_POINTS = 400
_ADAPTIVE = ("Adam", "RMSprop", "Adagrad", "Adadelta", "NAdam", "RAdam", "Rprop", "Lion", "Adamax", "Muon")


class UpdateWatch:
    def __init__(self, session: "Session") -> None:
        self.session = session
        self.clips: dict[str, ClipUse] = {}
        self.decays: dict[int, DecayUse] = {}
        self.halves: dict[str, HalfUse] = {}
        self.coarse: dict[int, HalfUse] = {}  # by parameter
        self.half_autocast = False
        self._half_line = ""
        self._clipped: ClipUse | None = None  # since the last step

    # -- clipping ---------------------------------------------------------------------------------------------------

    def clip(self, original: Callable[..., Any], parameters: Any, args: Any, kwargs: Any) -> Any:
        """Run `clip_grad_norm_` or `clip_grad_value_` and note by how much it cut."""
        tensors = [parameters] if isinstance(parameters, Tensor) else list(parameters)
        with self.session.own():
            use = self._use(original.__name__, tensors, args, kwargs)
            dense = [] if use.foreign or not self.session.active else _gradients(tensors)
            before = _length(dense)
        result = original(tensors, *args, **kwargs)
        with self.session.own():
            after = _length(dense)
            if dense and after > 0 and len(use.factors) < MOST_POINTS:
                use.factors.append(before / after)
                self._clipped = use
        return result

    def _use(self, function: str, tensors: list[Tensor], args: Any, kwargs: Any) -> ClipUse:
        line = user_line(4)
        limit = args[0] if args else next((kwargs[k] for k in ("max_norm", "clip_value") if k in kwargs), 0.0)
        use = self.clips.setdefault(line, ClipUse(line, function, float(limit)))
        use.calls += 1
        computed = next((t for t in tensors if isinstance(t, Tensor) and t.grad_fn is not None), None)
        if computed is not None:
            use.foreign, use.foreign_shape = True, tuple(computed.shape)
        track = self._owner(tensors)
        use.late += track is not None and track.steps > 0 and track.backwards == 0
        return use

    def _owner(self, tensors: list[Tensor]) -> OptimizerTrack | None:
        tracks = list(self.session.training.optimizers.values())
        if len(tracks) <= 1:
            return tracks[0] if tracks else None
        own = {id(tensor) for tensor in tensors}
        owners = [track for track in tracks if not own.isdisjoint(track.keys or map(id, track.parameters()))]
        return owners[0] if len(owners) == 1 else None

    # -- steps ------------------------------------------------------------------------------------------------------

    def forward(self, line: str) -> None:
        """A forward with gradients begins."""
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) is torch.float16:
                self.half_autocast, self._half_line = True, self._half_line or line

    def unseen(self) -> None:
        """A step was taken that is not observed."""
        self._clipped = None

    def stepped(self, optimizer: torch.optim.Optimizer, before: list[Tensor], live: list[Tensor]) -> None:
        """A step was taken: `before` are the values of the parameters `live` that had a gradient."""
        track = self.session.training.optimizer(optimizer)
        if not live:
            self._vanished(track)
            return
        moves = [now - then for now, then in zip(live, before, strict=True)]
        weights = _length(before)
        if self._clipped is not None and weights > 0:
            self._clipped.travel.append(_length(moves) / weights)
        self._clipped = None
        self._decay(optimizer, track, before, moves, live)
        self._half(live, before, track)

    def _decay(
        self,
        optimizer: torch.optim.Optimizer,
        track: OptimizerTrack,
        before: list[Tensor],
        moves: list[Tensor],
        live: list[Tensor],
    ) -> None:
        """The length of the decay's part of the step over the gradient's, over all decayed parameters."""
        own = {p.data_ptr(): (p, group) for group in optimizer.param_groups for p in group["params"]}
        weights: list[Tensor] = []
        decayed: list[Tensor] = []
        driven: list[Tensor] = []
        settings = (0.0, 0.0, False)
        for now, then, move in zip(live, before, moves, strict=True):
            parameter, group = own.get(now.data_ptr(), (None, {}))
            decay, rate = float(group.get("weight_decay", 0.0) or 0.0), float(group.get("lr", 0.0))
            if parameter is None or not decay or parameter.grad is None or parameter.grad.is_sparse:
                continue
            decoupled = bool(group.get("decoupled_weight_decay")) or track.name == "AdamW"
            settings = (decay, rate, decoupled)
            weights.append(then)
            decayed.append(then * (rate * decay if decoupled else decay))
            driven.append(move + decayed[-1] if decoupled else parameter.grad.detach())
        if not decayed:
            return
        use = self.decays.setdefault(
            track.index,
            DecayUse(track.name, track.line, *settings, adaptive=track.name.startswith(_ADAPTIVE)),
        )
        gradient, decay_length = _length(driven), _length(decayed)
        if len(use.steps) < MOST_POINTS and gradient > 0:
            use.steps.append(self.session.step)
            use.ratios.append(decay_length / gradient)
            use.norms.append(_length(weights))

    def _half(self, live: list[Tensor], before: list[Tensor], track: OptimizerTrack) -> None:
        """Elements whose update or gradient half precision could not hold."""
        gradients = {p.data_ptr(): p.grad for p in track.parameters() if p.grad is not None and is_plain(p.grad)}
        pairs = [(now, then, gradients[now.data_ptr()]) for now, then in zip(live, before, strict=True)
                 if now.data_ptr() in gradients]  # fmt: skip
        narrow = [entry for entry in pairs if entry[0].dtype in (torch.float16, torch.bfloat16)]
        if not (narrow or self.half_autocast) or sum(now.numel() for now, _, _ in pairs) > MOST_ELEMENTS:
            return
        if narrow:
            moved = sum(int((grad != 0).sum()) for _, _, grad in narrow)
            still = sum(int(((now == then) & (grad != 0)).sum()) for now, then, grad in narrow)
            self._half_line = self._half_line or track.line
            self._lost("update", str(narrow[0][0].dtype), moved, still)
        halves = [grad for now, _, grad in pairs if self.half_autocast or now.dtype is torch.float16]
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
            name = self.session.training.name_of(parameter)
            use = self.coarse.setdefault(
                id(parameter), HalfUse(self.session.step, self._half_line, "float16", "layer", 0, 0, name, steps=0)
            )
            use.elements += gradient.numel()
            use.lost += gradient.numel() - there
            use.steps += 1
            use.step_share += 0 < there <= 2 * small and 2 * there <= gradient.numel()

    def _vanished(self, track: OptimizerTrack) -> None:
        """No values were kept, perhaps because no gradient has a single entry that is not zero."""
        if not self.session.active:
            return
        entries = [p.grad for p in track.parameters() if p.grad is not None and is_plain(p.grad)]
        if entries and (self.half_autocast or entries[0].dtype is torch.float16) and not any(nonzero(entries)):
            self._half_line = self._half_line or track.line
            numel = sum(gradient.numel() for gradient in entries)
            self._lost("gradient", "torch.float16", numel, numel)

    def _lost(self, kind: str, dtype: str, elements: int, lost: int) -> None:
        use = self.halves.get(kind)
        if use is None:
            use = self.halves[kind] = HalfUse(
                self.session.step, self._half_line, dtype.removeprefix("torch."), kind, 0, 0, steps=0
            )
        use.elements += elements
        use.lost += lost
        use.steps += 1
        use.step_share += elements > 0 and lost >= 0.9 * elements  # a count until the records are collected

    def records(self) -> Iterator[ClipUse | DecayUse | HalfUse]:
        for clip in self.clips.values():
            clip.steps = self.session.step
            yield clip
        sole = sum(track.steps > 0 for track in self.session.training.optimizers.values()) == 1
        for decay in self.decays.values():
            decay.loss = self.session.backward.values[0] if sole and self.session.backward.values else math.nan
            yield decay
        for half in self.halves.values():
            yield replace(half, step_share=half.step_share / half.steps, scaled=self.session.run.scaled)
        yield from self._layers()

    def _layers(self) -> Iterator[HalfUse]:
        """The matrices that were coarse in nine tenths of the steps as one, unless all gradients together are lost."""
        coarse = [use for use in self.coarse.values() if use.step_share >= 0.9 * use.steps]
        whole = self.halves.get("gradient")
        if coarse and (whole is None or whole.step_share < 0.9 * whole.steps):
            elements, lost = sum(use.elements for use in coarse), sum(use.lost for use in coarse)
            steps, scaled = min(use.steps for use in coarse), self.session.run.scaled
            share = min(use.step_share / use.steps for use in coarse)
            yield replace(
                coarse[0], elements=elements, lost=lost, steps=steps, step_share=share, scaled=scaled, count=len(coarse)
            )


def _gradients(tensors: list[Tensor]) -> list[Tensor]:
    found = (t.grad for t in tensors if isinstance(t, Tensor) and t.is_leaf and t.grad is not None)
    return [gradient.detach() for gradient in found if is_plain(gradient)]


def _length(tensors: list[Tensor]) -> float:
    return float(sum(size * size for size in nonzero(tensors)) ** 0.5)
