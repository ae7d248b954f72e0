"""Running statistics that were never measured, in a copy of a model whose own ones were.

A copy that follows the weights of a trained model, an average of them say, has its own running statistics. Where nobody
copies them they still are what a new layer starts with: mean 0 and variance 1.
"""

import weakref

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from torchclinic.instruments.values import is_plain
from torchclinic.observe.collector import EVERY, Collector
from torchclinic.observe.events import LayerEnded, ModelEnds, OperationCalled
from torchclinic.observe.records import ForwardPass, UnmeasuredStatistics
from torchclinic.observe.state.model_track import ModelTrack
from torchclinic.observe.state.tracks import ParameterTrack, sample

MOST_COPIES = 8
MOST_WRITES = 10_000


class Unmeasured(Collector):
    operations = EVERY

    def prepare(self) -> None:
        self.found: dict[int, UnmeasuredStatistics] = {}  # by model, of its last evaluation
        self._measuring: dict[int, set[str]] = {}  # by model, layers that measured in a forward with gradients
        self._writes: dict[int, tuple[weakref.ref[Tensor], str]] = {}
        self._looked: dict[int, int] = {}

    def layer_ended(self, event: LayerEnded) -> None:
        """A layer normalized by its batch, with gradients, and took down the statistics."""
        layer = event.layer
        measuring = layer is not None and layer.kind == "batchnorm" and layer.active and layer.tracks
        if measuring and event.forward.to_train:
            self._measuring.setdefault(event.track.index, set()).add(event.path)

    def operation_called(self, event: OperationCalled) -> None:
        """The script changed a parameter itself."""
        parameter = event.result
        in_place = not event.grad and event.name.endswith("_") and isinstance(parameter, nn.Parameter)
        if in_place and not self.state.training.inside_step and len(self._writes) < MOST_WRITES:
            self._writes[id(parameter)] = weakref.ref(parameter), event.node.line

    def model_ends(self, event: ModelEnds) -> None:
        """After a forward without gradients: has any layer used what was never measured? Once in each evaluation."""
        if event.forward.evaluating():
            self._evaluated(event.model, event.track, event.forward)

    def _evaluated(self, model: nn.Module, track: ModelTrack, forward: ForwardPass) -> None:
        evaluation = self.state.clock.evaluations
        if not self._measuring or self._looked.get(track.index) == evaluation or len(self.found) >= MOST_COPIES:
            return
        self._looked[track.index] = evaluation
        used = {layer.path for layer in forward.layers if layer.kind == "batchnorm" and not layer.active}
        layers = {path: m for path, m in model.named_modules() if path in used and isinstance(m, _BatchNorm)}
        layers = {path: m for path, m in layers.items() if m.running_mean is not None and is_plain(m.running_mean)}
        matrices = [p.detach() for p in model.parameters() if p.dim() > 1 and is_plain(p)]
        if not layers or len({t.device for t in [*matrices, *(b for m in layers.values() for b in m.buffers())]}) != 1:
            return
        for other in self.state.models.tracks.values():
            pairs = self._counterparts(other, matrices)
            own = [path for path in layers if _among(path, self._measuring.get(other.index, ()))] if pairs else []
            if own:
                self._compare(model, track, forward, {path: layers[path] for path in own}, pairs)
                return

    def _counterparts(self, other: ModelTrack, matrices: list[Tensor]) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Samples of each matrix: as it is, the one in the same place of `other` at first and now; none if they differ."""
        known = [self.state.training.parameters.get(key) for key in other.parameter_names]
        tracks = [track for track in known if track is not None and track.first is not None and len(track.shape) > 1]
        if not matrices or [track.shape for track in tracks] != [tuple(matrix.shape) for matrix in matrices]:
            return []
        return [_samples(matrix, track) for matrix, track in zip(matrices, tracks, strict=True)]

    def _compare(
        self,
        model: nn.Module,
        track: ModelTrack,
        forward: ForwardPass,
        layers: dict[str, _BatchNorm],
        pairs: list[tuple[Tensor, Tensor, Tensor]],
    ) -> None:
        facts = UnmeasuredStatistics(track.kind, forward.line, self.state.clock.step, len(layers), self._line(model))
        paths = list(layers)
        itself = all(own is now for own, _, now in pairs)

        def receive(values: list[float]) -> None:
            facts.likeness, moved, *initial = values
            facts.moved = bool(moved)
            facts.unmeasured = tuple(path for path, is_initial in zip(paths, initial, strict=True) if is_initial)
            self.state.purposes.if_evaluated(forward, lambda: self.found.__setitem__(track.index, facts))

        likeness = torch.ones(()) if itself else torch.stack([_likeness(*pair) for pair in pairs]).min()
        moved = torch.stack([(own != first).any() for own, first, _ in pairs]).any()
        self.state.measurements.add([likeness.to(moved.device), moved, *map(_initial, layers.values())], receive)

    def _line(self, model: nn.Module) -> str:
        """Where the script last wrote into the weights, if it was seen."""
        for parameter in model.parameters():
            reference, line = self._writes.get(id(parameter), (None, ""))
            if reference is not None and reference() is parameter:
                return line
        return ""


def _among(path: str, paths: "set[str] | tuple[()]") -> bool:
    """The same place, also where a wrapper adds a name in front."""
    return any(path == other or path.endswith("." + other) or other.endswith("." + path) for other in paths)


def _samples(matrix: Tensor, track: ParameterTrack) -> tuple[Tensor, Tensor, Tensor]:
    assert track.first is not None
    own, live = sample(matrix), track.ref()
    if live is None or not is_plain(live):
        return own, track.first, track.first
    return own, track.first, own if live.data_ptr() == matrix.data_ptr() else sample(live.detach())


def _likeness(own: Tensor, first: Tensor, now: Tensor) -> Tensor:
    """Cosine with what the trained weights are or, for an average that lags far behind, with what they began as."""
    cosine = torch.nn.functional.cosine_similarity
    return torch.maximum(cosine(own, first, dim=0), cosine(own, now, dim=0)).float()


def _initial(layer: _BatchNorm) -> Tensor:
    """Exactly what `reset_running_stats` sets, and no batch counted."""
    assert layer.running_mean is not None
    assert layer.running_var is not None
    same = (layer.running_mean == 0).all() & (layer.running_var == 1).all()
    return same if layer.num_batches_tracked is None else same & (layer.num_batches_tracked == 0)
