"""The lengths of a CTC loss do not fit its log probabilities.

## What it means
`CTCLoss` takes log probabilities of [time, batch, classes], and a length of at most `time` for each of the batch.
## Evidence
The numbers of the message; the shape of the log probabilities.
## When this is fine
Never: the script stopped.
## Fix
Bring the time to the front, permute(1, 0, 2); take the lengths behind the network's strides.
## References
Graves et al. 2006, CTC; PyTorch documentation, `torch.nn.CTCLoss`.
"""

from torch import Tensor

from torchclinic.error_notes.kind import Explanation, Kind, shape
from torchclinic.error_notes.scene import Scene

KIND = Kind(
    "ERR067",
    "ctc-lengths",
    __doc__,
    (
        r"input_lengths must be of size batch_size",
        r"Expected input_lengths to have value at most (?P<most>\d+), but got value (?P<got>\d+)",
    ),
)


def explain(scene: Scene) -> Explanation:
    names = scene.call("ctc_loss")
    given = names.get("log_probs")
    sizes = f" {shape(given.shape)}" if isinstance(given, Tensor) else ""
    if scene["most"]:
        cause = f"A length of {scene['got']} was given, and the log probabilities{sizes} have {scene['most']} steps"
        birth = scene.birth(scene.argument(2, "input_lengths"))
        return Explanation(
            cause,
            "The lengths are those behind the network: strides and poolings divide them",
            birth.line if birth is not None else None,
        )
    cause = (
        f"CTCLoss takes log probabilities of [time, batch, classes], and these{sizes} have another batch in "
        "dimension 1 than there are lengths"
    )
    edit = scene.changed(scene.argument(0, "log_probs"), "{}.permute(1, 0, 2)")
    return Explanation(
        cause,
        "If the batch comes first, bring the time to the front: log_probs.permute(1, 0, 2)",
        None if edit else scene.line,
        edit,
    )


def specimen() -> str:
    return _SCRIPT


def twin() -> str:
    return _SCRIPT.replace("ctc_loss(log_probs,", "ctc_loss(log_probs.transpose(0, 1),")


_SCRIPT = """
import torch
log_probs = torch.zeros(4, 50, 20).log_softmax(2)
lengths, target = torch.full((4,), 50), torch.ones(4, 5, dtype=torch.long)
loss = torch.nn.functional.ctc_loss(log_probs, target, lengths, torch.full((4,), 5))
"""
