"""The models of the run, the modules that run now, and the forwards so far."""

from collections.abc import Iterable
from itertools import count
from types import CodeType

from torch import Tensor, nn

from torchclinic.observe.records import ForwardPass
from torchclinic.observe.state.clock import Clock
from torchclinic.observe.state.dataflow import Dataflow, Node
from torchclinic.observe.state.model_track import ModelTrack
from torchclinic.observe.state.origins import Origins
from torchclinic.observe.state.purposes import Purposes
from torchclinic.script.lines import user_line

MOST_FORWARDS = 2000
MOST_PENDING = 20
MOST_ATTACHED = 50


class Models:
    def __init__(self, clock: Clock, flow: Dataflow, origins: Origins, purposes: Purposes) -> None:
        self._clock, self._flow, self._origins, self._purposes = clock, flow, origins, purposes
        self.tracks: dict[int, ModelTrack] = {}
        self._indices = count()  # a model that is gone keeps its own
        self.known: set[int] = set()  # modules of all models, and loss modules; a call of others is looked at
        self.callers: dict[int, CodeType] = {}  # code that calls parts of models, by its identity
        self.stack: list[tuple[str, nn.Module]] = []
        self.open: ForwardPass | None = None
        self.open_track: ModelTrack | None = None
        self.forwards: list[ForwardPass] = []
        self.pending: list[ForwardPass] = []  # with gradients, not yet followed by a backward
        self.attached: list[tuple[ForwardPass, ModelTrack]] = []  # a backward used them, no step has yet
        self.outputs: dict[int, tuple[ForwardPass, list[Node], ModelTrack]] = {}  # by the forward's identity
        self.module_outputs: dict[int, Node | None] = {}
        self.argument_ids: set[int] = set()
        self.ran: dict[int, int] = {}  # module -> forwards with gradients
        self.ran_at: dict[int, str] = {}  # module -> the line that called it first
        self.ran_training: set[int] = set()
        self.unregistered: dict[int, tuple[str, str]] = {}  # module -> the model that used it, the line that made it

    # -- what runs now ----------------------------------------------------------------------------------------------

    def inside(self) -> bool:
        """Whether a module with parameters runs now; a loss module has none."""
        return self.open_track is not None and bool(self.stack)

    def where(self) -> str:
        return self.stack[-1][0] if self.stack else ""

    def built(self) -> str:
        """The line that made the module that runs now, if its class is torch's."""
        module = self.stack[-1][1] if self.stack else None
        return self._origins.line(module) if type(module).__module__.startswith("torch.") else ""

    # -- what is known of models ------------------------------------------------------------------------------------

    def track(self, model: nn.Module) -> ModelTrack:
        track = self.tracks.get(id(model))
        if track is None or track.ref() is not model:
            track = self.tracks[id(model)] = ModelTrack(model, next(self._indices))
        return track

    def within(self, track: ModelTrack) -> bool:
        """Whether it is a part of a model that was trained as a whole."""
        others = (other for other in self.tracks.values() if other is not track and other.sites)
        return any(not other.current.isdisjoint(track.current) for other in others)

    def name_of(self, parameter: Tensor) -> str:
        names = (track.parameter_names.get(id(parameter)) for track in self.tracks.values())
        return next((name for name in names if name is not None), "")

    def prefix(self, track: ModelTrack) -> str:
        """What stands before the names of its parameters where several models have any."""
        several = sum(bool(other.parameters) for other in self.tracks.values()) > 1
        return f"{track.variable or track.kind}." if several else ""

    def made(self) -> set[int]:
        """Identities of the nodes that models gave."""
        return {id(node) for _, nodes, _ in self.outputs.values() for node in nodes}

    def comes_of(self, tensor: Tensor) -> bool:
        """Whether a model's output went into the tensor."""
        node, made = self._flow.node_of(tensor), self.made()
        return node is not None and bool(made) and any(id(other) in made for other in node.ancestors())

    def path(self, module: nn.Module) -> str:
        """The name of a module within the model that runs; one that it does not register is noted."""
        if self.open_track is None:
            return ""
        path = self.open_track.paths.get(id(module))
        if path is None:
            path = type(module).__name__
            if id(module) not in self.unregistered and next(module.parameters(), None) is not None:
                self._adopt(module, self.open_track)
        return path

    def _adopt(self, module: nn.Module, track: ModelTrack) -> None:
        line = self._origins.line(module) or user_line()
        self.known.update(map(id, module.modules()))
        for inner in module.modules():
            self.unregistered.setdefault(id(inner), (track.kind, line))
            for parameter in inner.parameters(recurse=False):
                track.owner_of.setdefault(id(parameter), (id(inner), type(inner).__name__))

    # -- forwards ---------------------------------------------------------------------------------------------------

    def begin(self, forward: ForwardPass, track: ModelTrack, tensors: list[Tensor]) -> None:
        self.open, self.open_track = forward, track
        self._feed(track, tensors)
        self.forwards.append(forward)
        if forward.with_grad and not forward.recomputed:
            self.pending.append(forward)

    def _feed(self, track: ModelTrack, tensors: list[Tensor]) -> None:
        """What other models have made goes into this one."""
        made = {id(node.producer()) for tensor in tensors if (node := self._flow.node_of(tensor)) is not None}
        for forward, nodes, maker in self.outputs.values() if made else ():
            if maker is not track and any(id(node.producer()) in made for node in nodes):
                forward.fed = True
                maker.feeds = maker.feeds or forward.to_train

    def gave(self, module: nn.Module, forward: ForwardPass, output: Node | None) -> None:
        """A module has made this output. What it makes without gradients counts only where it never runs to train."""
        if forward.with_grad or not self.ran.get(id(module)):
            self.module_outputs[id(module)] = output

    def ran_once(self, module: nn.Module, forward: ForwardPass) -> None:
        """A module has run in this forward."""
        self.ran[id(module)] = self.ran.get(id(module), 0) + forward.to_train
        if module.training:
            self.ran_training.add(id(module))

    def attach(self) -> None:
        """The forwards since the previous backward belong to the one that begins if it depends on them."""
        for forward in self.pending:
            entry = self.outputs.get(id(forward))
            if entry is not None and any(node.used for node in entry[1]):
                forward.feeds_backward = True
                self.attached.append((forward, entry[2]))
        self.pending = [f for f in self.pending if not f.feeds_backward][-MOST_PENDING:]

    def detach(self, owned: set[int]) -> list[ForwardPass]:
        """Take out the forwards that gave gradients to these parameters and wait for a step."""
        own = [entry for entry in self.attached if not owned.isdisjoint(entry[1].parameter_names)]
        self.attached[:] = [entry for entry in self.attached if entry not in own][-MOST_ATTACHED:]
        return [forward for forward, _ in own]

    def close_forwards(self, stepped: Iterable[int]) -> None:
        """What the forwards of the window were for; `stepped`: parameters of optimizers that have stepped."""
        owned = set(stepped)
        read = {id(parent) for node in self._flow.created for parent in node.parents}
        for forward, nodes, track in self.outputs.values():
            feeds = any(node.used or (node.entered and not forward.with_grad) for node in nodes)
            forward.feeds_backward = forward.feeds_backward or feeds
            forward.read = not nodes or any(id(node) in read or node.cuts for node in nodes)
            forward.shown = track.feeds and not forward.fed
            if forward.with_grad and not forward.entered and any(node.entered for node in nodes):
                self._purposes.serves(forward)
            forward.trained = forward.trained or not owned.isdisjoint(track.parameter_names)
        if len(self.forwards) > MOST_FORWARDS:
            del self.forwards[MOST_FORWARDS // 4 : 3 * MOST_FORWARDS // 4]

    def forget_outputs(self) -> None:
        self.outputs.clear()
        self.module_outputs.clear()
