"""Per-layer statistics on sampled steps, cheap enough for every step: samples are copied, and read many steps later.

A layer is a module with weights of its own and a tensor for its output. The copies stay on the device until a window of
steps is full; then all of them are reduced and read at once.
"""

import math
import weakref
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from torchclinic.instruments.values import is_plain
from torchclinic.observe.own import Own
from torchclinic.observe.records.layers import SATURATING, LayerSeries
from torchclinic.observe.state.dataflow import Node
from torchclinic.observe.state.state import State
from torchclinic.observe.statistics.layer_track import LayerTrack
from torchclinic.observe.statistics.moves import RUN, Moves, runs_of
from torchclinic.observe.statistics.samples import ALL_VALUES, MOST_VALUES, WINDOW
from torchclinic.vocabulary import RECTIFIERS

MOST_LAYERS = 400
FIRST_WINDOWS = (1, 2, 4)  # the beginning is looked at more finely
_READERS = frozenset(
    [*RECTIFIERS, "leaky_relu", "gelu", "silu", "elu", "selu", "softplus", "softmax"]  # besides the saturating ones
)


class Sampler:
    """Takes the outputs of layers while `on`, the gradients before and the change after an optimizer's step."""

    def __init__(self, state: State, own: Own) -> None:
        self.state, self.clock, self.own = state, state.clock, own
        self.layers: dict[int, LayerTrack] = {}
        self.on = False
        self.seconds = 0.0  # spent in here
        self._sampled = 0
        self._windows = 0
        self._weights: dict[int, list[LayerTrack]] = {}
        self._moves: dict[int, Moves] = {}  # by optimizer
        self._share = MOST_VALUES  # values of each output that are kept
        self._latest: tuple[Any, int, LayerTrack | None] = (lambda: None, 0, None)  # tensor, version, its measurement
        self._rate = float("nan")

    # -- which layers there are -------------------------------------------------------------------------------------

    def learn(self) -> None:
        """After a step that was observed in full: which layers ran, and which activation reads each."""
        models = self.state.models
        outputs = {id(node): key for key, node in models.module_outputs.items() if node is not None}
        readers: dict[int, str] = {}
        for node in self.state.flow.created:
            if node.parents and (node.op in SATURATING or node.op in _READERS):
                key = outputs.get(id(node.parents[0].producer())) or outputs.get(id(node.parents[0]))
                if key is not None:
                    readers.setdefault(key, node.op)
        for model in models.tracks.values():
            live = model.ref()
            if live is None or not model.trainable:
                continue
            last = models.module_outputs.get(id(live))
            for path, module in live.named_modules():
                if path:
                    self._learn(module, path, model.kind, readers, last)
            self._learn_model(live, model.kind, last)
        self._weights.clear()
        self._share = max(MOST_VALUES // 4, min(MOST_VALUES, ALL_VALUES // max(1, len(self.layers))))

    def _learn(self, module: nn.Module, path: str, model: str, readers: dict[int, str], last: Node | None) -> None:
        key = id(module)
        known = self.layers.get(key)
        if known is not None and known.ref() is module:
            known.series.followed_by = known.series.followed_by or readers.get(key, "")
            return
        outputs = self.state.models.module_outputs
        if key not in outputs or outputs[key] is None or len(self.layers) >= MOST_LAYERS:
            return
        own = [(name, p) for name, p in module.named_parameters(recurse=False) if p.requires_grad]
        if not own or not all(is_plain(parameter) for _, parameter in own):
            return
        name, weight = max(own, key=lambda entry: entry[1].numel())
        output = last is not None and (outputs[key] is last or outputs[key] is last.producer())
        kind, reader = type(module).__name__, readers.get(key, "")
        line = self.state.origins.values_line(weight) or self.state.origins.line(module)
        series = LayerSeries(model, path, kind, len(self.layers), 0, reader, output, f"{path}.{name}", line)
        self.layers[key] = LayerTrack(module, weight, series)

    def _learn_model(self, model: nn.Module, kind: str, last: Node | None) -> None:
        """The model itself, for its output, and for its weights where it is a single layer."""
        known = self.layers.get(id(model))
        if known is not None and known.ref() is model:
            return
        own = [(name, p) for name, p in model.named_parameters(recurse=False) if p.requires_grad and is_plain(p)]
        name, weight = max(own, key=lambda entry: entry[1].numel(), default=("", None))
        line = self.state.origins.values_line(weight) or (last.producer().origin() if last is not None else "")
        series = LayerSeries(kind, "", type(model).__name__, len(self.layers), 0, "", True, name, line)
        self.layers[id(model)] = LayerTrack(model, weight, series)

    # -- one step ---------------------------------------------------------------------------------------------------

    def listens(self) -> bool:
        """Whether the call of a layer that begins now is measured."""
        free = self.on and self.clock.recording() and torch._C._get_tracing_state() is None
        return free and torch.is_grad_enabled() and self.clock.own_thread()

    def take(self, module: nn.Module, result: Any) -> None:
        """The output of `module`, called with gradients; only the first call in a step counts."""
        track = self.layers.get(id(module))
        if isinstance(result, tuple) and result:
            result = result[0]  # recurrent layers give their state as well
        if track is None or track.step == self.clock.step or type(result) is not Tensor or not _unwatched():
            return
        start = perf_counter()
        same, version, kept = self._latest
        with self.own.arithmetic():
            if kept is not None and same() is result and version == result._version and track.joins(kept):
                track.step = self.clock.step
            elif result.dim() and result.numel() and is_plain(result) and result.is_floating_point():
                track.step = self.clock.step
                track.keep(result, self._share)
                self._latest = weakref.ref(result), result._version, track
        self.seconds += perf_counter() - start

    def before_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Samples of the gradients, and of the weights that are about to change, on one device."""
        start = perf_counter()
        step = self.clock.step  # the first of several optimizers ends the step in which the layers ran
        with self.own.arithmetic():
            tracks = self._weights.get(id(optimizer)) or self._owned(optimizer)
            live = []
            for layer, track in enumerate(tracks):
                weight = track.live_weight() if track.step >= step - 1 else None
                gradient = weight.grad if weight is not None else None
                if weight is not None and gradient is not None and gradient.layout is torch.strided:
                    live.append((layer, weight, gradient))
            if live and _unwatched():
                self._moves_of(optimizer, tracks).begin(live, step)
            self._rate = float(optimizer.param_groups[0].get("lr", math.nan)) if optimizer.param_groups else math.nan
        self.seconds += perf_counter() - start

    def _owned(self, optimizer: torch.optim.Optimizer) -> list[LayerTrack]:
        """The layers whose weights it owns, on one device."""
        gone = [key for key, track in self.state.training.optimizers.items() if track.ref() is None]
        self._moves = {key: moves for key, moves in self._moves.items() if key not in gone}
        owned = {id(p) for group in optimizer.param_groups for p in group["params"]}
        found = [(track, w) for track in self.layers.values() if (w := track.live_weight()) is not None]
        found = [(track, w) for track, w in found if id(w) in owned and w.is_floating_point()]
        self._weights[id(optimizer)] = [track for track, w in found if w.device == found[0][1].device]
        return self._weights[id(optimizer)]

    def after_step(self, optimizer: torch.optim.Optimizer) -> None:
        """What the step made of the sampled weights."""
        start = perf_counter()
        moves = self._moves.get(id(optimizer))
        if moves is not None and not moves.whole:
            with self.own.arithmetic():
                moves.end()
        self.seconds += perf_counter() - start

    def _moves_of(self, optimizer: torch.optim.Optimizer, tracks: list[LayerTrack]) -> Moves:
        moves = self._moves.get(id(optimizer))
        if moves is None or moves.tracks != tracks or moves.full():
            self._read_moves()
        if moves is None or moves.tracks != tracks:
            live = [(track, w) for track in tracks if (w := track.live_weight()) is not None]
            moves = self._moves[id(optimizer)] = Moves([track for track, _ in live], [w for _, w in live])
        return moves

    def end_step(self) -> None:
        """After a sampled step: read the window when it is full."""
        self._sampled += 1
        full = FIRST_WINDOWS[self._windows] if self._windows < len(FIRST_WINDOWS) else WINDOW
        if self._sampled >= full:
            self.flush()

    def flush(self) -> None:
        """Read everything that waits, and start a new window."""
        start = perf_counter()
        waiting = [(track, kept) for track in self.layers.values() if (kept := track.samples()) is not None]
        with self.own.work(), np.errstate(invalid="ignore", over="ignore"):
            self._read_moves()
            weights = self._weight_norms([track for track, _ in waiting])
            wanted = {(kept, SATURATING.get(track.series.followed_by)) for track, kept in waiting}
            arrays = dict(zip(wanted, _read([kept.reductions(bound) for kept, bound in wanted]), strict=True))
            for (track, kept), weight in zip(waiting, weights, strict=True):
                rows = arrays[kept, SATURATING.get(track.series.followed_by)]
                track.series.add(track.window(rows, weight, self._rate))
            for track in self.layers.values():
                track.clear()
        self._windows += bool(waiting)
        self._sampled = 0
        self.seconds += perf_counter() - start

    def _read_moves(self) -> None:
        """Hand the norms of the waiting steps to their layers."""
        waiting = [moves for moves in self._moves.values() if moves.factors]
        for moves, steps in zip(waiting, _read([moves.norms() for moves in waiting]), strict=True):
            for factors, (gradients, changes, sizes) in zip(moves.factors, steps.tolist(), strict=False):
                for layer, factor in factors.items():
                    moves.tracks[layer].sizes.append((gradients[layer] * factor, changes[layer], sizes[layer]))
            moves.clear()

    def _weight_norms(self, tracks: list[LayerTrack]) -> list[float]:
        """The norm of each layer's weight, NaN without one; of large ones it is estimated, always from the same places."""
        found = [(i, runs_of(w.detach(), RUN, 0)) for i, track in enumerate(tracks) if (w := track.live_weight()) is not None]
        result = [math.nan] * len(tracks)
        norms = _read(list(torch._foreach_norm([runs for _, (runs, _) in found]))) if found else iter(())
        for (i, (_, factor)), norm in zip(found, norms, strict=True):
            result[i] = float(norm) * factor
        return result

    def records(self) -> list[LayerSeries]:
        """Everything so far, in the order of the forward pass."""
        self.flush()
        return [track.series for track in self.layers.values() if track.series.windows]


def _unwatched() -> bool:
    """No mode of the user's would see our operations."""
    return torch._C._len_torch_dispatch_stack() == 0


def _read(tensors: list[Tensor]) -> Iterator[Any]:
    """The tensors as arrays, float32, in their order; one transfer for each device."""
    arrays: dict[int, Any] = {}
    away: dict[torch.device, list[int]] = {}
    for i, tensor in enumerate(tensors):
        if tensor.is_cpu:
            arrays[i] = (tensor if tensor.dtype is torch.float32 else tensor.float()).numpy()
        else:
            away.setdefault(tensor.device, []).append(i)
    for places in away.values():
        joined = torch.cat([tensors[i].reshape(-1).float() for i in places]).cpu()
        for i, piece in zip(places, joined.split([tensors[i].numel() for i in places]), strict=True):
            arrays[i] = piece.reshape(tensors[i].shape).numpy()
    return (arrays[i] for i in range(len(tensors)))
