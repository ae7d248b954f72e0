"""Networks that make the targets of a network like them: do they ever follow it?"""

from collections.abc import Iterator

import torch
from torch import Tensor

from torchclinic.observe.collector import Collector
from torchclinic.observe.events import BackwardBegins
from torchclinic.observe.records import TargetNetwork
from torchclinic.observe.state.dataflow import Node
from torchclinic.observe.state.model_track import ModelTrack
from torchclinic.observe.state.tracks import ParameterTrack, refresh
from torchclinic.vocabulary import POWERS, REGRESSION_LOSSES

MOST = 8
HELD = 4_000_000  # elements of the parameters that are kept alive to look at them at the end
_LOSSES = REGRESSION_LOSSES | {"cosine_similarity"}


class TargetNetworks(Collector):
    def prepare(self) -> None:
        self.found: dict[int, TargetNetwork] = {}  # by the identity of the network
        self._models: dict[int, tuple[ModelTrack, ModelTrack]] = {}
        self._calls: dict[int, tuple[int, int]] = {}  # of each before it was found, and those with other parameters
        self._held: list[Tensor] = []

    def backward_begins(self, event: BackwardBegins) -> None:
        root = event.root
        pairs = list(self._alike()) if root is not None and len(self.found) < MOST else []
        if root is None or not pairs:
            return
        made: dict[int, set[int]] = {}
        for _, nodes, model in self.state.models.outputs.values():
            made.setdefault(model.index, set()).update(map(id, nodes))
        for line, side in _targets(root):
            ancestors = {id(node) for node in side.ancestors()}
            for model, alike in pairs:
                if not ancestors.isdisjoint(made.get(model.index, ())):
                    self._note(model, alike, line)

    def _alike(self) -> Iterator[tuple[ModelTrack, list[ModelTrack]]]:
        """Each network that no optimizer has and that is not known yet, with those of its structure that are trained."""
        models = [m for m in self.state.models.tracks.values() if m.parameters]
        if len(models) < 2 or len({(m.kind, m.parameters) for m in models}) == len(models):
            return
        owned = self.state.training.owned()
        trained = [model for model in models if not model.current.isdisjoint(owned)]
        for model in models:
            if self._known(model) or not model.current.isdisjoint(owned):
                continue
            alike = [other for other in trained if other.kind == model.kind and other.sizes == model.sizes]
            if alike:
                yield model, alike

    def _known(self, model: ModelTrack) -> bool:
        return any(other is model for other, _ in self._models.values())

    def _tracks(self, model: ModelTrack) -> list[ParameterTrack]:
        live = model.ref()
        known = self.state.training.parameters
        return [] if live is None else [known[id(p)] for p in live.parameters() if id(p) in known]

    def _copied(self, model: ModelTrack, online: ModelTrack) -> bool:
        """Both began with the same numbers, which were drawn in this run and not loaded."""
        pairs = list(zip(self._tracks(model), self._tracks(online), strict=False))
        matrices = [own for _, own in pairs if len(own.shape) > 1]
        drawn = all(map(_fresh, matrices)) and not all(own.constant or own.all_zero for own in matrices)
        return drawn and all(_equal(track, own) for track, own in pairs)

    def _note(self, model: ModelTrack, alike: list[ModelTrack], line: str) -> None:
        live = model.ref()
        if live is None or self._known(model):
            return
        copied = [online for online in alike if self._copied(model, online)]
        online = (copied or alike)[0]
        name, other = model.variable or model.kind, online.variable or online.kind
        facts = TargetNetwork(name, other, line, self.state.clock.step, bool(copied), model.parameters)
        self.found[id(live)], self._models[id(live)] = facts, (model, online)
        self._calls[id(live)] = model.seen_calls, model.strange_calls
        for parameter in sorted(live.parameters(), key=torch.numel):
            if sum(map(torch.numel, self._held)) + parameter.numel() <= HELD:
                self._held.append(parameter)

    def records(self) -> Iterator[TargetNetwork]:
        for key, facts in self.found.items():
            model, online = self._models[key]
            tracks = [self.state.training.parameters.get(name) for name in model.parameter_names]
            for track in tracks:
                if track is not None:
                    refresh(track)
            calls, strange = self._calls[key]
            facts.calls = model.seen_calls - calls
            facts.last_call = model.last_call if facts.calls else facts.step
            facts.copied = facts.copied and model.strange_calls == strange
            facts.unchanged = all(track is not None and track.unchanged for track in tracks)
            own = [self.state.training.parameters.get(name) for name in online.parameter_names]
            facts.online_moved = any(track is not None and not track.unchanged for track in own)
            owners = {index for track in own if track is not None for index in track.owners}
            steps = (t.steps for t in self.state.training.optimizers.values() if t.index in owners)
            facts.online_steps = max(steps, default=0)
            yield facts


def _fresh(own: ParameterTrack) -> bool:
    return own.born == 0 and bool(own.made) and not own.loaded and not own.overwritten


def _equal(one: ParameterTrack, other: ParameterTrack) -> bool:
    if one.first is None or other.first is None or one.shape != other.shape:
        return False
    return one.first.device == other.first.device and torch.equal(one.first, other.first)


def _targets(root: Node) -> Iterator[tuple[str, Node]]:
    """What the outputs that are trained are compared with, and where: in a loss, or in the square of a difference."""
    for node in root.ancestors():
        compared = node if node.op in _LOSSES else None
        factors = {id(parent.producer()): parent.producer() for parent in node.parents[:2]}
        power = node.op in POWERS or (node.op == "mul" and len(node.parents) == 2)
        if power and len(factors) == 1 and node.parents[0].producer().op == "sub":
            compared = node.parents[0].producer()
        sides = compared.parents[:2] if compared is not None else ()
        if len(sides) == 2 and sides[0].requires_grad != sides[1].requires_grad:
            yield node.line, sides[sides[0].requires_grad]
