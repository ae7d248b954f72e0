"""State dicts as they are taken, loaded and saved."""

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from torchclinic.instruments.values import fingerprint, is_plain, tensors_in
from torchclinic.observe.records import CheckpointUse, LoadRecord, PinnedStorage
from torchclinic.script.lines import user_line

if TYPE_CHECKING:
    from torchclinic.observe.session import Session

_PREFIXES = ("module.", "model.", "_orig_mod.", "net.", "backbone.", "encoder.")
PIN_FLOOR = 1 << 16  # bytes that a checkpoint holds in vain


class Take:
    """A state dict that was handed to the user; its tensors are held weakly."""

    def __init__(self, module: nn.Module, values: dict[str, Any], step: int) -> None:
        self.module = weakref.ref(module)
        self.line = user_line()
        self.step = step
        self.values = [(key, weakref.ref(v)) for key, v in values.items() if isinstance(v, Tensor)]

    def holds(self, tensor: Tensor) -> bool:
        return any(ref() is tensor for _, ref in self.values)


class CheckpointWatch:
    def __init__(self, session: "Session") -> None:
        self.session = session
        self.takes: list[Take] = []
        self.take_counts: dict[int, int] = {}
        self.uses: list[CheckpointUse] = []
        self.loads: list[LoadRecord] = []
        self._compared: dict[int, int] = {}  # optimizer -> loads when it last stepped
        self._loaded: list[tuple[LoadRecord, weakref.ref[nn.Module], dict[str, tuple[float, ...]]]] = []
        self.pinned: list[PinnedStorage] = []
        self._depth = 0

    def wrap_state_dict(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def state_dict(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            self._depth += 1
            try:
                result = original(module, *args, **kwargs)
            finally:
                self._depth -= 1
            if self._depth == 0 and self.session.recording() and isinstance(result, dict):
                with self.session.own():
                    self.takes.append(Take(module, result, self.session.clock()))
                    del self.takes[:-50]
                    self.take_counts[id(module)] = self.take_counts.get(id(module), 0) + 1
            return result

        return state_dict

    def wrap_load(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def load_state_dict(module: nn.Module, state_dict: Any, *args: Any, **kwargs: Any) -> Any:
            if self.session.recording():
                with self.session.own():
                    tensors = list(tensors_in(state_dict, 2))
                    self._used(tensors, "load", module)
                    self._loaded_itself(module, tensors)
            result = original(module, state_dict, *args, **kwargs)
            if self.session.recording():
                with self.session.own():
                    self._load(module, state_dict, args, kwargs)
            return result

        return load_state_dict

    def _load(self, module: nn.Module, state: Any, args: Any, kwargs: Any) -> None:
        strict = bool(kwargs.get("strict", args[0] if args else True))
        own = module.state_dict.__func__  # type: ignore[attr-defined]
        self._depth += 1
        expected = own(module)
        self._depth -= 1
        missing = tuple(key for key in expected if key not in state)
        unexpected = tuple(key for key in state if key not in expected)
        record = LoadRecord(
            user_line(), self.session.clock(), type(module).__name__, strict, len(expected),
            len(expected) - len(missing), missing[:20], unexpected[:20], _prefix(set(missing), unexpected),
        )  # fmt: skip
        self.loads.append(record)
        for parameter in module.parameters():
            self.session.training.track(parameter).loaded = True
        if len(self._loaded) < 20:
            prints = {
                name: fingerprint(p)
                for name, p in module.named_parameters()
                if name in state and p.dim() >= 2 and is_plain(p)
            }
            self._loaded.append((record, weakref.ref(module), prints))

    def loaded_waits(self, optimizer: int) -> bool:
        """Whether something was loaded since this optimizer last stepped."""
        return bool(self._loaded) and self._compared.get(optimizer) != len(self.loads)

    def compare_loaded(self, optimizer: torch.optim.Optimizer) -> None:
        """At the first step of an optimizer that owns what was loaded: are the loaded weights still there?"""
        owned = {id(p) for group in optimizer.param_groups for p in group["params"]}
        self._compared[id(optimizer)] = len(self.loads)
        waiting, self._loaded = self._loaded, []
        for entry in waiting:
            record, reference, prints = entry
            module = reference()
            if module is not None and owned.isdisjoint(map(id, module.parameters())):
                self._loaded.append(entry)
            elif module is not None:
                record.weights = len(prints)
                now = dict(module.named_parameters())
                record.overwritten = sum(
                    name in now and fingerprint(now[name]) != value for name, value in prints.items()
                )

    def _used(self, tensors: list[Tensor], use: Any, into: nn.Module | None = None) -> None:
        """Tensors of an earlier state dict are loaded or saved while they share memory with what has trained on."""
        clock = self.session.clock()
        for take in self.takes:
            module = take.module()
            if take.step >= clock or module is None:
                continue
            held = [tensor for tensor in tensors if take.holds(tensor)]
            if not held:
                continue
            live = {p.untyped_storage().data_ptr() for p in module.parameters()}
            aliased = sum(tensor.untyped_storage().data_ptr() in live for tensor in held)
            takes = self.take_counts.get(id(module), 0)
            same = into is module
            self.uses.append(
                CheckpointUse(take.line, take.step, user_line(), clock, use, aliased, len(take.values), takes, same)
            )

    def _loaded_itself(self, module: nn.Module, tensors: list[Tensor]) -> None:
        """What is loaded is the memory of the module itself, although steps were taken since it was put aside."""
        clock, live = self.session.clock(), {p.untyped_storage().data_ptr() for p in module.parameters()}
        aliased = sum(tensor.untyped_storage().data_ptr() in live for tensor in tensors if is_plain(tensor))
        fresh = any(take.step == clock and any(take.holds(tensor) for tensor in tensors) for take in self.takes)
        known = any(use.used_step == clock and use.same_module for use in self.uses)
        if aliased and clock and not fresh and not known:
            line = user_line()
            self.uses.append(CheckpointUse(line, 0, line, clock, "load", aliased, len(tensors), 2, True))

    def wrap_save(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def save(obj: Any, f: Any, *args: Any, **kwargs: Any) -> Any:
            if self.session.recording():
                with self.session.own():
                    tensors = list(tensors_in(obj, 4))
                    self._used(tensors, "save")
                    self._pinned(tensors)
            return original(obj, f, *args, **kwargs)

        return save

    def _pinned(self, tensors: list[Tensor]) -> None:
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
            self.pinned.append(record)


def _prefix(missing: set[str], unexpected: tuple[str, ...]) -> str:
    for prefix in _PREFIXES:
        if any(key.startswith(prefix) and key[len(prefix) :] in missing for key in unexpected):
            return prefix
        if any(prefix + key in missing for key in unexpected):
            return prefix
    return ""
