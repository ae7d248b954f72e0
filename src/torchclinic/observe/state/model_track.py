"""What is kept of one model: its modules and parameters, by name, and how it was called."""

import weakref

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from torchclinic.observe.records import BatchRun, ForwardPass
from torchclinic.script.lines import user_name

Site = tuple[int, int, int, int, bool]  # two callers, by code and instruction, and the model's mode
SAMPLES = 3  # forwards of one tensor that are no accident; a loss and an accuracy make two


class ModelTrack:
    def __init__(self, model: nn.Module, index: int) -> None:
        self.ref = weakref.ref(model)
        self.index = index
        self.kind = type(model).__name__
        self.variable = user_name(model, 4)
        self.calls = 0
        self.sites: set[Site] = set()  # where forwards that train are called
        self.feeds = False  # what it makes in training goes into another model
        self.most_repeats = 1  # of them between two backward passes
        self.repeats = 0  # calls since the latest backward pass, which was this one
        self.repeated_at = -1
        self.training: bool | None = None  # the mode of its first forward with gradients
        self.paths: dict[int, str] = {}
        self.parameter_names: dict[int, str] = {}  # of all it ever had
        self.current: set[int] = set()  # parameters when it was last read
        self.owner_of: dict[int, tuple[int, str]] = {}  # parameter -> its module's id and type
        self.sizes: list[tuple[str, str, int]] = []
        self.siblings: dict[int, tuple[int, ...]] = {}  # module -> modules alike in the same container
        self.parameters = 0
        self.trainable = 0
        self.tied = False
        self.batches: list[BatchRun] = []
        self.last_batch: tuple[float, ...] = ()
        self.last_objects: tuple[int, ...] = ()
        self.last_step = -1  # of that batch
        self.calls_between = 0  # observed steps, modulo the look at its parameters
        self.seen_calls = 0  # outside of the fast path
        self.strange_calls = 0  # of them, with a first parameter that it was not read with
        self.last_call = 0  # step
        self._evaluated: list[tuple[ForwardPass, weakref.ref[Tensor]]] = []

    def called(self, model: nn.Module, step: int) -> None:
        """It is called; where that makes something be looked at, it is told twice."""
        if self.ref() is model:
            self.seen_calls += 1
            self.strange_calls += id(next(model.parameters(), None)) not in self.parameter_names
            self.last_call = step

    def repeat(self, backwards: int) -> int:
        """Count a call with gradients; how many there were since the latest backward pass."""
        if self.repeated_at != backwards:
            self.repeats, self.repeated_at = 0, backwards
        self.repeats += 1
        return self.repeats

    def exhausted(self, backwards: int) -> bool:
        """Whether another call would be more than any backward pass has needed."""
        return self.repeated_at == backwards and self.repeats >= self.most_repeats

    def evaluated(self, forward: ForwardPass, tensors: list[Tensor]) -> None:
        """Mark forwards of one tensor, one after the other: an average over dropout masks is asked for."""
        last = self._evaluated[-1:]
        if last and not (tensors and last[0][1]() is tensors[0] and last[0][0].step == forward.step):
            self._evaluated.clear()
        self._evaluated += [(forward, weakref.ref(tensor)) for tensor in tensors[:1]]
        if len(self._evaluated) >= SAMPLES:
            for other, _ in self._evaluated:
                other.sampled = True

    def read(self, model: nn.Module) -> None:
        """Take down the names of modules and parameters as they are now."""
        self.paths = {id(module): path for path, module in model.named_modules()}
        self.sizes = []
        self.current = {id(parameter) for parameter in model.parameters()}
        uses: dict[int, set[str]] = {}
        for path, module in model.named_modules():
            own = list(module.named_parameters(recurse=False, remove_duplicate=False))
            self.sizes.append((path, type(module).__name__, sum(p.numel() for _, p in own if not is_lazy(p))))
            for name, parameter in own:
                self.parameter_names.setdefault(id(parameter), f"{path}.{name}" if path else name)
                self.owner_of.setdefault(id(parameter), (id(module), type(module).__name__))
                uses.setdefault(id(parameter), set()).add(type(module).__name__)
            if isinstance(module, nn.ModuleList | nn.ModuleDict):
                children = list(module.children())
                for child in children:
                    alike = tuple(id(other) for other in children if type(other) is type(child) and other is not child)
                    for inner in child.modules():
                        self.siblings[id(inner)] = alike
        self.tied = any("Embedding" in kinds and len(kinds) > 1 for kinds in uses.values())
        self.parameters = sum(p.numel() for p in model.parameters() if not is_lazy(p))
        self.trainable = sum(p.numel() for p in model.parameters() if p.requires_grad and not is_lazy(p))
