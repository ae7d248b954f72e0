"""What is a tensor in memory, and when does an operation move data?

    torchclinic lab tensor-basics

A tensor is a storage (a row of bytes) and a rule: element (i, j, ...) lies at offset + i·stride[0] + j·stride[1] + ...
Whatever happens is predicted from that rule and then proven by address. Part two, on what goes wrong: `tensor_bugs`.
Source: PyTorch's documentation of `Tensor.view`.
"""

import itertools

import torch
from torch import Tensor

import torchclinic as tc
from torchclinic.labs.lab import Lab

B, T, D = 2, 3, 4  # the small tensor of the pictures
VIEW_RULE = "Tensor.view: stride[i] = stride[i+1] · size[i+1]"


def run(lab: Lab) -> None:
    torch.manual_seed(lab.seed)
    x = torch.arange(B * T * D, dtype=torch.float32).view(B, T, D)

    lab.section("Stride arithmetic: where an element lies")
    lab.prose("""A contiguous tensor of shape (2, 3, 4) has strides (12, 4, 1): a step along a dimension passes over
        everything to its right. Transposing or slicing writes another rule over the same storage.""")
    lab.claim("row-major", "Strides of a contiguous tensor are products of the sizes to the right",
              predicted=str((T * D, D, 1)), measured=str(x.stride()), unit="elements", source=VIEW_RULE)
    for name, y in {"contiguous": x, "transposed": x.transpose(1, 2), "sliced": x[:, ::2, 1:]}.items():
        lab.claim(f"address-{name}", f"Every element of the {name} tensor lies at data_ptr + itemsize·Σ i·stride",
                  predicted=0, measured=address_error(y), unit="bytes off, at most")
    lab.figure(tc.explain(x.transpose(1, 2)).figure)
    moved = x.transpose(1, 2).data_ptr() - x.data_ptr()
    lab.claim("transpose-moves-nothing", "A transpose starts at the address of its base", predicted=0,
              measured=moved, unit="bytes")

    lab.section("Does reshape move data?")
    lab.prose("""`reshape` gives a view where one exists and copies where none does. The rule: neighbours merge while
        `stride[i] == size[i+1]·stride[i+1]`, and each new dimension must fit inside one merged run. "A view needs a
        contiguous tensor" is false: the third case is not contiguous and needs no copy. Proof: a view starts at the
        address of its base, and a write to it reaches the base.""")
    cases = {
        "contiguous": (x, (T * D * B,), "the whole tensor as one row"),
        "split": (x, (B, T, 2, 2), "a dimension split in two"),
        "narrow": (x[:, :, :2], (B * T, 2), "a slice whose outer dimensions still merge"),
        "narrow-flat": (x[:, :, :2], (B * T * 2,), "the same slice as one row"),
        "transposed": (x.transpose(1, 2), (B, D * T), "a transposed tensor"),
        "expanded": (x[:, :1].expand(B, T, D), (B * T, D), "an expanded tensor"),
    }
    for name, (y, shape, what) in cases.items():
        copied = y.reshape(shape).data_ptr() != y.data_ptr()
        lab.claim(f"reshape-{name}", f"reshape{shape} of {what}: copies?",
                  predicted=not tc.explain_view(y, shape).possible, measured=copied, source=VIEW_RULE,
                  note=f"shape {tuple(y.shape)}, strides {y.stride()}")
    agree = sum(
        reaches(y, y.reshape(shape)) == tc.explain_reshape(y, shape).shares_memory for y, shape, _ in cases.values()
    )
    lab.claim("reshape-writes", "A write to the result reaches the base exactly where no copy was predicted",
              predicted=len(cases), measured=agree, unit="cases")

    lab.section("Contiguity: provoke the error, explain it, fix it three ways")
    wrong = x.transpose(1, 2)
    explained = tc.explain_view(wrong, B, D * T)
    try:
        wrong.view(B, D * T)
        message = "no error"
    except RuntimeError as error:
        message = str(error)
    lab.code(message, "What torch says")
    lab.prose(f"What it means: {explained.reason}")
    lab.claim("view-raises", "view raises exactly where explain_view says impossible", predicted=not explained.possible,
              measured=message != "no error")
    lab.claim("blocking", "The pair that cannot merge is the transposed one", predicted="[(1, 2)]",
              measured=str(explained.blocking))
    rows = [(fix.code, fix.copied_bytes, fix.note) for fix in explained.fixes]
    lab.table(("fix", "bytes copied", "what it means"), rows)
    fixes = {
        "contiguous": (x.nbytes, "`contiguous` copies every element once", lambda: wrong.contiguous().view(B, D * T)),
        "reshape": (x.nbytes, "`reshape` copies every element once", lambda: wrong.reshape(B, D * T)),
        "undo": (0, "undoing the transpose copies nothing", lambda: wrong.transpose(1, 2).view(B, D * T)),
    }
    for name, (nbytes, what, fix) in fixes.items():
        copied_bytes = tc.trace(fix).copied_bytes
        lab.claim(f"fix-{name}", f"Fix: {what}", predicted=nbytes, measured=copied_bytes, unit="bytes")
    lab.prose("""The last one gives the elements in the order of the storage: right if the transpose was not wanted.""")


def address_error(y: Tensor) -> int:
    """Largest distance in bytes between an element's address and the address computed by hand."""
    errors = []
    for index in itertools.product(*map(range, y.shape)):
        by_hand = y.data_ptr() + y.element_size() * sum(i * s for i, s in zip(index, y.stride(), strict=True))
        errors.append(abs(y[index].data_ptr() - by_hand))
    return max(errors)


def reaches(base: Tensor, written: Tensor) -> bool:
    """Whether adding 1 to every element of `written` changes `base`; undone afterwards."""
    before, kept = base.clone(), written.clone()
    written += 1
    changed = not torch.equal(base, before)
    written.copy_(kept)
    return changed
