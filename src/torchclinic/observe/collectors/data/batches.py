"""The batches that a model is trained on, one after another: is it always the same?"""

from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor

from torchclinic.instruments.values import fingerprint
from torchclinic.observe.collector import Collector
from torchclinic.observe.events import ModelBegins
from torchclinic.observe.records import BatchRun
from torchclinic.vocabulary import PARTS_AND_INDICES

MOST_RUNS = 64  # of a model


class Latest(NamedTuple):
    """The batch a model was given last."""

    print: tuple[float, ...]
    objects: tuple[int, ...]
    step: int


class Batches(Collector):
    def prepare(self) -> None:
        self._runs: dict[int, list[BatchRun]] = {}  # by model
        self._latest: dict[int, Latest] = {}

    def model_begins(self, event: ModelBegins) -> None:
        forward = event.forward
        tensors = [tensor for tensor in event.tensors if tensor.numel() > 1 and not tensor.requires_grad][:2]
        if not tensors or not forward.to_train or forward.recomputed:
            return
        step, index = self.state.clock.step, event.track.index
        print_ = tuple(number for tensor in tensors for number in fingerprint(tensor))
        objects = tuple(id(tensor) for tensor in tensors)
        runs, last = self._runs.setdefault(index, []), self._latest.get(index)
        # epochs of a fixed order begin with the same batch: it is a run only if no step lies between
        if runs and last is not None and print_ == last.print and step - last.step <= 1:
            run, cut = runs[-1], self._cut_from(tensors[0])
            run.length += 1
            run.fresh = run.fresh and (objects != last.objects or cut > 0)
            run.source_rows = min(run.source_rows, cut or run.source_rows)
        else:
            rows = tensors[0].shape[0] if tensors[0].dim() else 1
            source = "loader" if self.state.loaders.gave_batch() else ""
            cut = self._cut_from(tensors[0])
            runs.append(BatchRun(event.track.kind, forward.line, 1, 0, rows, cut, True, source))
            del runs[:-MOST_RUNS]
        self._latest[index] = Latest(print_, objects, step)

    def _cut_from(self, tensor: Tensor) -> int:
        """Rows of the larger tensor that this one was cut from in this step; 0 where that was not seen."""
        node = self.state.flow.node_of(tensor)
        while node is not None and node.parents:
            parent = node.parents[0]
            if node.op in PARTS_AND_INDICES and parent.shape and node.shape and parent.shape[0] > node.shape[0]:
                return parent.shape[0] if node.step == self.state.clock.step else 0
            node = parent
        return 0

    def records(self) -> Iterator[BatchRun]:
        for _, runs in sorted(self._runs.items()):
            for run in runs:
                run.total = self.state.clock.step
                yield run
