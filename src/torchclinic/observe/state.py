"""What happens around the loop: state dicts, checkpoints, loaders, schedulers, gradient scaling and clipping."""

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from torchclinic.observe.dataflow import tensors_in
from torchclinic.observe.facts import fingerprint, is_plain
from torchclinic.observe.lines import user_line
from torchclinic.observe.ranks import sampler_of
from torchclinic.observe.records import (
    CheckpointUse,
    LoaderRecord,
    LoadRecord,
    PinnedStorage,
    ScaledClip,
    SchedulerRecord,
)

if TYPE_CHECKING:
    from torchclinic.observe.session import Session

_PREFIXES = ("module.", "model.", "_orig_mod.", "net.", "backbone.", "encoder.")
_HORIZONS = ("T_max", "total_iters", "total_steps", "step_size")
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


class StateWatch:
    def __init__(self, session: "Session") -> None:
        self.session = session
        self.takes: list[Take] = []
        self.take_counts: dict[int, int] = {}
        self.uses: list[CheckpointUse] = []
        self.loads: list[LoadRecord] = []
        self._loaded: list[tuple[LoadRecord, weakref.ref[nn.Module], dict[str, tuple[float, ...]]]] = []
        self.loaders: dict[int, LoaderRecord] = {}
        self._iterators: dict[int, tuple[LoaderRecord, int]] = {}
        self._sources: dict[int, tuple[weakref.ref[Any], tuple[str, ...]]] = {}  # loader of an iterator, and its names
        self.schedulers: dict[int, tuple[SchedulerRecord, weakref.ref[Any]]] = {}
        self.clips: list[ScaledClip] = []
        self.pinned: list[PinnedStorage] = []
        self._scaled: set[int] = set()  # optimizers whose gradients are scaled right now
        self._scale = 0.0
        self._depth = 0
        self._drawn_at = -1
        self.epochs = 0

    # -- state dicts ------------------------------------------------------------------------------------------------

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

    def loaded_waits(self) -> bool:
        return bool(self._loaded)

    def compare_loaded(self, owned: set[int]) -> None:
        """At the first step of an optimizer that owns what was loaded: are the loaded weights still there?"""
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

    # -- loaders ----------------------------------------------------------------------------------------------------

    def wrap_loader_iter(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def __iter__(loader: Any) -> Any:  # noqa: N807
            self.session.workers.opening(loader, self.session.origins.line(loader) or user_line())
            iterator = original(loader)
            if self.session.recording() and len(self.loaders) < 100:
                with self.session.own():
                    self._opened(loader, iterator)
            return iterator

        return __iter__

    def _opened(self, loader: Any, iterator: Any) -> None:
        record = self.loaders.get(id(loader))
        if record is None:
            batches = len(loader) if hasattr(loader.dataset, "__len__") else 0
            record = self.loaders[id(loader)] = LoaderRecord(
                user_line(), batches, 0, 0, 0, self.session.origins.line(loader)
            )
        record.iterators += 1
        self._iterators[id(iterator)] = (record, 0)
        self.session.ranks.opened(iterator)
        self._sources[id(iterator)] = (weakref.ref(loader), self.session.held_out.opened(loader))
        if len(self._iterators) > 200:
            self._sources.pop(next(iter(self._iterators)), None)
            self._iterators.pop(next(iter(self._iterators)))

    def wrap_loader_next(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def __next__(iterator: Any) -> Any:  # noqa: N807
            batch = original(iterator)
            entry = self._iterators.get(id(iterator))
            if entry is not None:
                record, drawn = entry
                record.drawn += 1
                record.single += {0: 1, 1: -1}.get(drawn, 0)
                self._iterators[id(iterator)] = (record, drawn + 1)
                self._drawn_at = self.session.clock()
                self._drawn(iterator, record)
                if self.session.statistics.on and not self.session.active:
                    with self.session.own():
                        self.session.labels.drawn(batch, record.built or record.line)
            return batch

        return __next__

    def _drawn(self, iterator: Any, record: LoaderRecord) -> None:
        reference, names = self._sources.get(id(iterator), (None, ()))
        self.session.held_out.drawn(names)
        loader = reference() if reference is not None else None
        if loader is not None:
            self.session.ranks.drawn(sampler_of(loader), iterator, record.line)

    def drew_batch(self) -> bool:
        return self._drawn_at == self.session.clock() and any(
            record.batches > 1 and record.single >= record.iterators for record in self.loaders.values()
        )

    # -- schedulers, scaling, clipping ------------------------------------------------------------------------------

    def wrap_schedule(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def step(scheduler: Any, *args: Any, **kwargs: Any) -> Any:
            if self.session.recording() and not getattr(scheduler, "_is_initial", False):
                with self.session.own():
                    self._scheduled(scheduler)
            return original(scheduler, *args, **kwargs)

        return step

    def _scheduled(self, scheduler: Any) -> None:
        entry = self.schedulers.get(id(scheduler))
        optimizer = getattr(scheduler, "optimizer", None)
        if not isinstance(optimizer, torch.optim.Optimizer):
            return
        track = self.session.training.optimizer(optimizer)
        if entry is None or entry[1]() is not scheduler:
            name = next((key for key in _HORIZONS if isinstance(getattr(scheduler, key, None), int)), "")
            early = track.steps == 0 and not self.session.run.scaled
            plateau = isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
            record = SchedulerRecord(
                type(scheduler).__name__, user_line(), 0, early, 0, 0, getattr(scheduler, name, 0) if name else 0,
                name, plateau, track.index,
            )  # fmt: skip
            self.schedulers[id(scheduler)] = (record, weakref.ref(scheduler))
        record = self.schedulers[id(scheduler)][0]
        record.calls += 1
        record.optimizer_steps = track.steps

    def wrap_scale(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def scale(scaler: Any, outputs: Any) -> Any:
            result = original(scaler, outputs)
            if scaler.is_enabled():
                self.session.run.scaled = True
                self._scaled = {-1}
                self._scale = float(getattr(scaler, "_init_scale", 0.0))
            return result

        return scale

    def wrap_unscale(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def unscale_(scaler: Any, optimizer: Any) -> Any:
            self._scaled.clear()
            return original(scaler, optimizer)

        return unscale_

    def wrap_scaler_step(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def step(scaler: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
            self._scaled.clear()
            return original(scaler, optimizer, *args, **kwargs)

        return step

    def wrap_clip(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def clip(parameters: Any, *args: Any, **kwargs: Any) -> Any:
            parameters = parameters if isinstance(parameters, Tensor) else list(parameters)
            if self._scaled and self.session.recording():
                line = user_line()
                known = next((record for record in self.clips if record.line == line), None)
                if known is None:
                    self.clips.append(ScaledClip(line, self.session.step, self._scale, 1))
                else:
                    known.calls += 1
            if self.session.recording() and self.session.on_own_thread():
                return self.session.updates.clip(original, parameters, args, kwargs)
            return original(parameters, *args, **kwargs)

        return clip


def _prefix(missing: set[str], unexpected: tuple[str, ...]) -> str:
    for prefix in _PREFIXES:
        if any(key.startswith(prefix) and key[len(prefix) :] in missing for key in unexpected):
            return prefix
        if any(prefix + key in missing for key in unexpected):
            return prefix
    return ""
