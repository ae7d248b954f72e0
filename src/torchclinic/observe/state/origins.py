"""Where in the user's script things were made: modules of torch, loaders, and the values of tensors."""

import weakref
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from torchclinic.instruments.values import is_plain
from torchclinic.observe.state.dataflow import TRANSPARENT
from torchclinic.script.lines import user_line

MOST = 100_000
_KEEPS_VALUES = TRANSPARENT | {"requires_grad_", "detach_", "t_", "transpose_", "share_memory_", "retain_grad"}


class Origins:
    """Lines as `file:line`, or an empty string where the making was not seen."""

    def __init__(self) -> None:
        self._objects: dict[int, tuple[weakref.ref[Any], str]] = {}
        self._storages: dict[int, str] = {}
        self._versions: dict[int, tuple[weakref.ref[Tensor], int]] = {}  # when `torch.nn.init` had written

    def made(self, made: object, line: str) -> None:
        """A module or a loader is made on this line."""
        if len(self._objects) < MOST:
            self._objects[id(made)] = (weakref.ref(made), line)

    def initialized(self, tensor: Tensor) -> None:
        """`torch.nn.init` has written into it."""
        if len(self._versions) < MOST:
            self._versions[id(tensor)] = weakref.ref(tensor), tensor._version

    def wrote(self, tensor: Tensor, line: str) -> None:
        """Something writes into it on this line."""
        self._wrote(tensor, line)

    def called(self, name: str, result: object, args: Sequence[Any]) -> None:
        """A torch function was called: did it make a tensor, or write into one?"""
        if not isinstance(result, Tensor):
            return
        if name in _KEEPS_VALUES:
            source = args[0] if args else None
            if isinstance(source, Tensor) and is_plain(source) and is_plain(result):
                self._keep(source.untyped_storage().data_ptr(), result.untyped_storage().data_ptr())
        elif name.endswith("_") or not result._is_view():
            self._wrote(result, user_line())

    def _keep(self, source: int, copy: int) -> None:
        if copy != source:
            self._storages[copy] = self._storages.get(source, "")

    def _wrote(self, tensor: Tensor, line: str) -> None:
        if len(self._objects) < MOST:
            self._objects[id(tensor)] = (weakref.ref(tensor), line)
        if len(self._storages) < MOST and is_plain(tensor) and tensor.numel():
            self._storages[tensor.untyped_storage().data_ptr()] = line

    def line(self, made: object) -> str:
        """Where a module, a loader or a tensor itself was made."""
        reference, line = self._objects.get(id(made), (None, ""))
        return line if reference is not None and reference() is made else ""

    def overwritten(self, tensor: Tensor) -> bool:
        """Whether something wrote into a tensor after `torch.nn.init` did; False where that did not."""
        reference, version = self._versions.get(id(tensor), (None, 0))
        return reference is not None and reference() is tensor and tensor._version != version

    def values_line(self, tensor: Tensor | None) -> str:
        """Where a tensor got the values it started with: the last write that was seen into its memory."""
        if tensor is None:
            return ""
        stored = self._storages.get(tensor.untyped_storage().data_ptr(), "") if is_plain(tensor) else ""
        return stored or self.line(tensor)
