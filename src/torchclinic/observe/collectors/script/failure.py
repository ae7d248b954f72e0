"""How the script failed."""

from collections.abc import Iterable

from torchclinic.observe.collector import Collector
from torchclinic.observe.events import ScriptRaised
from torchclinic.observe.records import Failure


class Failures(Collector):
    def prepare(self) -> None:
        self._failure: Failure | None = None

    def script_raised(self, event: ScriptRaised) -> None:
        self._failure = Failure(event.kind, event.message, event.line, event.function)

    def records(self) -> Iterable[Failure]:
        return () if self._failure is None else (self._failure,)
