"""Small views that keep a large storage alive."""

import sys
import weakref
from collections.abc import Iterable

from torch import Tensor

from torchclinic.instruments.values import is_plain
from torchclinic.observe.collector import Collector
from torchclinic.observe.events import OperationCalled, StepSeen, WindowEnded
from torchclinic.observe.records import PinnedStorage
from torchclinic.vocabulary import PARTS

VIEW_FLOOR = 1 << 16  # bytes
MOST_VIEWS = 2000
LEAST_STEPS = 3
OWN_REFERENCES = 3  # to a base tensor that only its view keeps: the view's, a local name's, and the count's own


class PinnedViews(Collector):
    operations = PARTS | {"detach"}

    def prepare(self) -> None:
        self._views: list[tuple[weakref.ref[Tensor], weakref.ref[Tensor], int, str, int, int]] = []
        self._pinned: list[PinnedStorage] = []

    def operation_called(self, event: OperationCalled) -> None:
        """Remember small views of large results, to see later which of them outlive the large one."""
        result, source = event.result, event.args[0] if event.args else None
        if not is_plain(result) or not is_plain(source) or result.requires_grad:
            return
        storage = result.untyped_storage()
        used = result.numel() * result.element_size()
        if storage.nbytes() >= VIEW_FLOOR and storage.nbytes() >= 8 * used and len(self._views) < MOST_VIEWS:
            base = result._base if result._base is not None else source
            entry = (weakref.ref(result), weakref.ref(base), self.state.clock.step, event.node.line, used, storage.nbytes())
            self._views.append(entry)

    def step_seen(self, event: StepSeen) -> None:
        self._outlived()

    def window_ended(self, event: WindowEnded) -> None:
        self._outlived()

    def _outlived(self) -> None:
        """Per line: views of which the base tensor is gone while the view lives on, from at least three steps."""
        lines: dict[str, list[tuple[int, int, int]]] = {}
        for view, base, step, line, used, held in self._views:
            tensor = view()
            whole = base()
            alone = whole is None or sys.getrefcount(whole) <= OWN_REFERENCES
            if tensor is not None and alone and step < self.state.clock.step:
                lines.setdefault(line, []).append((step, used, held))
        for line, found in lines.items():
            if len({step for step, _, _ in found}) >= LEAST_STEPS and not any(pin.line == line for pin in self._pinned):
                used, held = sum(f[1] for f in found), sum(f[2] for f in found)
                self._pinned.append(PinnedStorage(line, "memory", len(found), used, held))

    def records(self) -> Iterable[PinnedStorage]:
        return self._pinned
