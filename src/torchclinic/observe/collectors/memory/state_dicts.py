"""State dicts that are taken, used again while training goes on, loaded and saved."""

import weakref
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from torchclinic.instruments.values import fingerprint, is_plain
from torchclinic.observe.collector import Collector
from torchclinic.observe.events import Saved, StateDictLoaded, StateDictLoads, StateDictTaken, StepBegins
from torchclinic.observe.records import CheckpointUse, LoadRecord, PinnedStorage
from torchclinic.script.lines import user_line

_PREFIXES = ("module.", "model.", "_orig_mod.", "net.", "backbone.", "encoder.")
PIN_FLOOR = 1 << 16  # bytes that a checkpoint holds in vain
MOST_TAKES = 50
MOST_WAITING = 20  # loads that wait for the first step on what was loaded


class Take:
    """A state dict that was handed to the user; its tensors are held weakly."""

    def __init__(self, module: nn.Module, values: dict[str, Any], step: int) -> None:
        self.module = weakref.ref(module)
        self.line = user_line()
        self.step = step
        self.values = [(key, weakref.ref(v)) for key, v in values.items() if isinstance(v, Tensor)]

    def holds(self, tensor: Tensor) -> bool:
        return any(ref() is tensor for _, ref in self.values)


class Checkpoints(Collector):
    def prepare(self) -> None:
        self._takes: list[Take] = []
        self._take_counts: dict[int, int] = {}
        self._uses: list[CheckpointUse] = []
        self._loads: list[LoadRecord] = []
        self._waiting: list[tuple[LoadRecord, weakref.ref[nn.Module], dict[str, tuple[float, ...]]]] = []
        self._pinned: list[PinnedStorage] = []

    def state_dict_taken(self, event: StateDictTaken) -> None:
        module = event.module
        self._takes.append(Take(module, event.values, self.state.clock.steps_total))
        del self._takes[:-MOST_TAKES]
        self._take_counts[id(module)] = self._take_counts.get(id(module), 0) + 1

    def state_dict_loads(self, event: StateDictLoads) -> None:
        self._used(event.tensors, "load", event.module)
        self._loaded_itself(event.module, event.tensors)

    def state_dict_loaded(self, event: StateDictLoaded) -> None:
        module, state, expected = event.module, event.state, event.expected
        missing = tuple(key for key in expected if key not in state)
        own = set(expected)
        unexpected = tuple(key for key in state if key not in own)
        matched = len(expected) - len(missing)
        record = LoadRecord(
            user_line(),
            self.state.clock.steps_total,
            type(module).__name__,
            event.strict,
            len(expected),
            matched,
            missing[:20],
            unexpected[:20],
            _prefix(set(missing), unexpected),
        )
        self._loads.append(record)
        if len(self._waiting) < MOST_WAITING:
            matrices = ((n, p) for n, p in module.named_parameters() if n in state and p.dim() >= 2 and is_plain(p))
            self._waiting.append((record, weakref.ref(module), {name: fingerprint(p) for name, p in matrices}))

    def step_begins(self, event: StepBegins) -> None:
        """The first step of an optimizer that owns what was loaded: are the loaded weights still there?"""
        if not event.loads or not self._waiting:
            return
        owned = {id(p) for group in event.optimizer.param_groups for p in group["params"]}
        waiting, self._waiting = self._waiting, []
        for entry in waiting:
            record, reference, prints = entry
            module = reference()
            if module is not None and owned.isdisjoint(map(id, module.parameters())):
                self._waiting.append(entry)
            elif module is not None:
                record.weights = len(prints)
                now = dict(module.named_parameters())
                changed = (fingerprint(now[name]) != value for name, value in prints.items() if name in now)
                record.overwritten = sum(changed)

    def saved(self, event: Saved) -> None:
        self._used(event.tensors, "save")
        self._pin(event.tensors)

    def _used(self, tensors: list[Tensor], use: Any, into: nn.Module | None = None) -> None:
        """Tensors of an earlier state dict are loaded or saved while they share memory with what has trained on."""
        clock = self.state.clock.steps_total
        for take in self._takes:
            module = take.module()
            if take.step >= clock or module is None:
                continue
            held = [tensor for tensor in tensors if take.holds(tensor)]
            if not held:
                continue
            live = {p.untyped_storage().data_ptr() for p in module.parameters()}
            aliased = sum(tensor.untyped_storage().data_ptr() in live for tensor in held)
            takes = self._take_counts.get(id(module), 0)
            same = into is module
            self._uses.append(CheckpointUse(take.line, take.step, user_line(), clock, use, aliased, len(take.values), takes, same))

    def _loaded_itself(self, module: nn.Module, tensors: list[Tensor]) -> None:
        """What is loaded is the memory of the module itself, although steps were taken since it was put aside."""
        clock, live = self.state.clock.steps_total, {p.untyped_storage().data_ptr() for p in module.parameters()}
        aliased = sum(tensor.untyped_storage().data_ptr() in live for tensor in tensors if is_plain(tensor))
        fresh = any(take.step == clock and any(take.holds(tensor) for tensor in tensors) for take in self._takes)
        known = any(use.used_step == clock and use.same_module for use in self._uses)
        if aliased and clock and not fresh and not known:
            line = user_line()
            self._uses.append(CheckpointUse(line, 0, line, clock, "load", aliased, len(tensors), 2, True))

    def _pin(self, tensors: list[Tensor]) -> None:
        used: dict[int, int] = {}
        held: dict[int, int] = {}
        for tensor in {id(t): t for t in tensors if is_plain(t)}.values():
            storage = tensor.untyped_storage()
            key = storage.data_ptr()
            used[key] = used.get(key, 0) + tensor.numel() * tensor.element_size()
            held[key] = storage.nbytes()
        wasteful = [key for key in held if held[key] - used[key] > PIN_FLOOR and held[key] > 4 * used[key]]
        if wasteful:
            total = sum(held[key] for key in wasteful)
            record = PinnedStorage(user_line(), "checkpoint", len(wasteful), sum(used[k] for k in wasteful), total)
            self._pinned.append(record)

    def records(self) -> Iterator[CheckpointUse | LoadRecord | PinnedStorage]:
        yield from self._pinned
        yield from self._uses
        yield from self._loads


def _prefix(missing: set[str], unexpected: tuple[str, ...]) -> str:
    for prefix in _PREFIXES:
        if any(key.startswith(prefix) and key[len(prefix) :] in missing for key in unexpected):
            return prefix
        if any(prefix + key in missing for key in unexpected):
            return prefix
    return ""
