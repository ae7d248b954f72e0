"""Data-parallel training: wrappers and whether they are called, samplers and their epochs."""

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils.data.distributed import DistributedSampler

from torchclinic.observe.records import ForwardPass, SamplerUse, WrapperBypass

if TYPE_CHECKING:
    from torchclinic.observe.session import Session


class Wrapped:
    """A module that was given to a data-parallel wrapper."""

    def __init__(self, wrapper: nn.Module, inner: nn.Module) -> None:
        self.wrapper, self.inner = weakref.ref(wrapper), weakref.ref(inner)
        self.kind = type(wrapper).__name__
        self.replicas = replicas()
        self.through = 0  # forwards with gradients through the wrapper
        self.direct: list[ForwardPass] = []  # and beside it


class RankWatch:
    def __init__(self, session: "Session") -> None:
        self.session = session
        self.wrapped: dict[int, Wrapped] = {}  # by the inner module
        self.samplers: dict[int, tuple[weakref.ref[Any], SamplerUse]] = {}
        self.divides = False  # a sampler deals the training data out to the ranks
        self._epochs: dict[int, int] = {}  # of the sampler's last iteration that trained
        self._draws: dict[int, tuple[int, int, int]] = {}  # iterator -> sampler, its epoch, steps so far

    # -- wrappers ---------------------------------------------------------------------------------------------------

    def wrap_init(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def __init__(wrapper: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
            original(wrapper, *args, **kwargs)
            inner = getattr(wrapper, "module", None)
            if isinstance(inner, nn.Module) and self.session.recording() and len(self.wrapped) < 100:
                self.wrapped[id(inner)] = Wrapped(wrapper, inner)
            self.session.between.end()  # what ranks exchange is looked at on the ordinary way

        return __init__

    def forward(self, module: nn.Module, forward: ForwardPass) -> None:
        """A forward with gradients of an outermost module begins."""
        if not self.wrapped:
            return
        inner = getattr(module, "module", None)
        through = self.wrapped.get(id(inner))
        if through is not None and through.wrapper() is module:
            through.through += 1
        beside = self.wrapped.get(id(module))
        if beside is not None and beside.inner() is module and len(beside.direct) < 1000:
            beside.direct.append(forward)

    def bypasses(self) -> list[WrapperBypass]:
        found = []
        for entry in self.wrapped.values():
            trained = [forward for forward in entry.direct if forward.stepped]
            if trained and not entry.through:
                first = trained[0]
                found.append(
                    WrapperBypass(
                        first.line, first.step, first.model, entry.kind, entry.replicas, len(trained), entry.through
                    )
                )
        return found

    def kept_equal(self) -> set[int]:
        """Parameters that a wrapper over all ranks is to keep equal; those that it was told to ignore are not."""
        found: set[int] = set()
        for entry in self.wrapped.values():
            wrapper, inner = entry.wrapper(), entry.inner()
            if wrapper is not None and inner is not None and _spans_all(wrapper):
                ignored = getattr(wrapper, "parameters_to_ignore", ())
                found |= {id(p) for name, p in inner.named_parameters() if name not in ignored}
        return found

    # -- samplers ---------------------------------------------------------------------------------------------------

    def opened(self, iterator: Any) -> None:
        """A loader is iterated anew; an earlier iterator may have had the same id."""
        self._draws.pop(id(iterator), None)

    def drawn(self, loader_sampler: Any, iterator: Any, line: str) -> None:
        """A batch was drawn; the second one after a step shows that the loader feeds a training."""
        if not isinstance(loader_sampler, DistributedSampler):
            return
        clock, key = self.session.clock(), id(loader_sampler)
        sampler, epoch, before = self._draws.get(id(iterator), (key, loader_sampler.epoch, clock))
        self._draws[id(iterator)] = (key, epoch, -1 if clock > before or before < 0 else clock)
        if clock == before or before < 0 or sampler != key:
            return
        self.divides = self.divides or loader_sampler.num_replicas == replicas()
        if not loader_sampler.shuffle:
            return
        _, use = self.samplers.setdefault(
            key, (weakref.ref(loader_sampler), SamplerUse(line, loader_sampler.num_replicas, 0, 0))
        )
        use.repeated += self._epochs.get(key) == epoch
        use.epochs += 1
        self._epochs[key] = epoch


def _spans_all(wrapper: nn.Module) -> bool:
    group = getattr(wrapper, "process_group", None)
    return group is not None and torch.distributed.get_world_size(group) == replicas()


def replicas() -> int:
    """Ranks of the default process group."""
    distributed = torch.distributed
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def sampler_of(loader: Any) -> Any:
    """The sampler that orders the data set of a loader."""
    sampler = getattr(loader, "sampler", None)
    if isinstance(sampler, DistributedSampler):
        return sampler
    return getattr(getattr(loader, "batch_sampler", None), "sampler", None)
