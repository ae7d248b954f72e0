"""The batches that a model is trained on, one after another: is it always the same?"""

from typing import TYPE_CHECKING

from torch import Tensor

from torchclinic.instruments.values import fingerprint
from torchclinic.observe.records import BatchRun, ForwardPass

if TYPE_CHECKING:
    from torchclinic.observe.session import Session
    from torchclinic.observe.state.model_track import ModelTrack

_CUTTING = {"getitem", "index_select", "narrow", "select", "split", "chunk", "index"}


class BatchWatch:
    def __init__(self, session: "Session") -> None:
        self.session = session

    def given(self, model: "ModelTrack", forward: ForwardPass, tensors: list[Tensor]) -> None:
        """A training forward of `model` begins."""
        tensors = [tensor for tensor in tensors if tensor.numel() > 1 and not tensor.requires_grad][:2]
        if not tensors:
            return
        print_ = tuple(number for tensor in tensors for number in fingerprint(tensor))
        objects = tuple(id(tensor) for tensor in tensors)
        follows = self.session.step - model.last_step <= 1  # epochs of a fixed order begin with the same batch
        if model.batches and print_ == model.last_batch and follows:
            run = model.batches[-1]
            run.length += 1
            run.fresh = run.fresh and (objects != model.last_objects or self._cut_from(tensors[0]) > 0)
            run.source_rows = min(run.source_rows, self._cut_from(tensors[0]) or run.source_rows)
        else:
            rows = tensors[0].shape[0] if tensors[0].dim() else 1
            source = "loader" if self.session.loaders.drew_batch() else ""
            model.batches.append(
                BatchRun(model.kind, forward.line, 1, 0, rows, self._cut_from(tensors[0]), True, source)
            )
            del model.batches[:-64]
        model.last_batch, model.last_objects, model.last_step = print_, objects, self.session.step

    def _cut_from(self, tensor: Tensor) -> int:
        """Rows of the larger tensor that this one was cut from in this step; 0 where that was not seen."""
        node = self.session.flow.node_of(tensor)
        while node is not None and node.parents:
            parent = node.parents[0]
            if node.op in _CUTTING and parent.shape and node.shape and parent.shape[0] > node.shape[0]:
                return parent.shape[0] if node.step == self.session.step else 0
            node = parent
        return 0
