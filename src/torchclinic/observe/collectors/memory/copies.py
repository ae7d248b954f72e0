"""Operations that copy only where they must, and did."""

from torchclinic.instruments.values import is_plain, shares_memory
from torchclinic.observe.collector import Collector
from torchclinic.observe.events import OperationCalled
from torchclinic.observe.records import SilentCopy
from torchclinic.vocabulary import MAY_COPY

COPY_FLOOR = 1 << 20  # bytes


class SilentCopies(Collector):
    operations = MAY_COPY

    def prepare(self) -> None:
        self.found: dict[tuple[str, str], SilentCopy] = {}
        self._steps: dict[tuple[str, str], set[int]] = {}

    def operation_called(self, event: OperationCalled) -> None:
        node, result = event.node, event.result
        source = event.args[0] if event.args else None
        nbytes = result.numel() * result.element_size()
        if nbytes < COPY_FLOOR or not is_plain(result) or not is_plain(source) or shares_memory(result, source):
            return
        key = (event.name, node.line)
        copy = self.found.setdefault(key, SilentCopy(node.line, event.name, nbytes, 0, 0, tuple(result.shape)))
        steps = self._steps.setdefault(key, set())
        steps.add(self.state.clock.step)
        copy.calls += 1
        copy.steps = len(steps)
