"""Which tensor bugs raise no error, and how are they seen?

    torchclinic lab tensor-basics

Stretching without memory, and four bugs it and its relatives cause: a loss over pairs, a view mistaken for a transpose,
a write through an alias, a slice that is saved with its whole storage.
Sources: PyTorch's documentation of broadcasting semantics and of saving and loading tensors.
"""

import io

import torch
from torch import Tensor

import torchclinic as tc
from torchclinic.labs.lab import Lab
from torchclinic.labs.tensor_basics import reaches

B, T, D = 2, 3, 4  # the small tensor of the pictures
SAMPLES = {True: 64, False: 512}  # predictions in the broadcast bug, --fast or not
ROWS = {True: 1_000, False: 20_000}  # rows of the tensor of which a slice is saved


def run(lab: Lab) -> None:
    torch.manual_seed(lab.seed)
    stretch(lab)
    lab.section("Four bugs that raise nothing")
    multiply_losses(lab)
    mistake_view_for_transpose(lab)
    write_through_aliases(lab)
    save_slices(lab)


def stretch(lab: Lab) -> None:
    lab.section("Broadcasting stretches without memory")
    column, row = torch.arange(5.0)[:, None], torch.arange(4.0)
    wide = column.expand(5, 4)
    broadcast = tc.explain_broadcast(column, row)
    lab.figure(broadcast.figure)
    lab.claim("broadcast-shape", "(5, 1) + (4,) has the predicted shape", predicted=str(broadcast.shape),
              measured=str(tuple((column + row).shape)))
    lab.claim("broadcast-stride", "A stretched dimension has stride 0", predicted=0, measured=wide.stride(1),
              unit="elements")
    lab.claim("broadcast-storage", "Stretching takes no memory: the storage stays that of 5 numbers",
              predicted=column.nbytes, measured=wide.untyped_storage().nbytes(), unit="bytes")
    written_out = wide.contiguous().untyped_storage().nbytes()
    lab.claim("broadcast-written-out", "Written out it takes one number per cell",
              predicted=broadcast.materialized_bytes, measured=written_out, unit="bytes")


def multiply_losses(lab: Lab) -> None:
    n = SAMPLES[lab.fast]
    target = torch.randn(n, dtype=torch.float64)
    perfect = target[:, None].clone()  # a model's output has shape (N, 1)
    for warning in tc.explain_broadcast(perfect, target).warnings:
        lab.prose(warning)
    floor = 2 * target.var(correction=0).item()
    loss = (perfect - target).square().mean().item()
    lab.claim("broadcast-loss", "Perfect predictions (N, 1) against targets (N,): the squared error is 2·Var(y), not 0",
              predicted=floor, measured=loss, relation="≈",
              tolerance=n * torch.finfo(torch.float64).eps * floor, source="mean over i, j of (yᵢ − yⱼ)² = 2·Var(y)",
              note=f"n = {n}; tolerance: rounding of a sum of n² terms grows at most like n·ε")


def mistake_view_for_transpose(lab: Lab) -> None:
    x = torch.arange(B * T * D).view(B, T, D)
    swapped = tc.explain_reshape(x, B, D, T)
    lab.figure(swapped.figure)
    assert swapped.mistaken is not None
    assert swapped.mistaken.first_difference is not None
    place, taken, meant = swapped.mistaken.first_difference
    statement = f"x.view{(B, D, T)} has the shape of the transpose, but at {place} x{list(taken)}, not x{list(meant)}"
    measured = x.view(B, D, T)[place].item(), x.transpose(1, 2)[place].item()
    lab.claim("view-as-permute", statement, predicted=str((x[taken].item(), x[meant].item())), measured=str(measured))


def write_through_aliases(lab: Lab) -> None:
    x = torch.zeros(B, T, D)
    even, odd, first = x.view(-1)[::2], x.view(-1)[1::2], x[0]
    for name, (a, b) in {"interleaved": (even, odd), "row": (even, first), "copy": (even, first.clone())}.items():
        relation = tc.aliasing(a, b)
        lab.claim(f"alias-{name}", f"Two tensors ({name}): does a write to one show in the other?",
                  predicted=relation == "overlapping", measured=reaches(b, a), note=f"aliasing {relation}")


def save_slices(lab: Lab) -> None:
    table = torch.zeros(ROWS[lab.fast], 16)
    lab.claim("saved-slice", "A saved slice of 2 rows takes its whole storage to disk", predicted=table.nbytes,
              measured=saved_nbytes(table[:2]), unit="bytes", source="PyTorch notes: serialization")
    lab.claim("saved-clone", "Its clone takes only its own", predicted=table[:2].nbytes,
              measured=saved_nbytes(table[:2].clone()), unit="bytes")


def saved_nbytes(y: Tensor) -> int:
    """Bytes of the storage that comes back when `y` is saved and loaded."""
    file = io.BytesIO()
    torch.save(y, file)
    file.seek(0)
    loaded: Tensor = torch.load(file, weights_only=True)
    return loaded.untyped_storage().nbytes()
