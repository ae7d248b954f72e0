"""The proof of a freezing: one real step on a snapshot, and a hash of every tensor before and after it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook

from torchclinic.errors import InputError
from torchclinic.instruments.guard import untouched
from torchclinic.report.model import Finding, Section, Table
from torchclinic.report.results import Report, Reported
from torchclinic.surgery.freezing import is_held


@dataclass(frozen=True, slots=True)
class TensorProof:
    """What one step did to one parameter or buffer."""

    name: str
    kind: str  # "parameter" or "buffer"
    frozen: bool  # whether it was meant to stay
    before: str  # BLAKE2b of the bytes, 128 bit, hexadecimal
    after: str
    largest_change: float
    gradient: float | None  # largest absolute gradient when the optimizer stepped; None = no gradient
    in_optimizer: bool
    learning_rate: float | None  # None = in no optimizer that stepped
    weight_decay: float | None

    @property
    def changed(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class FreezeProof(Reported):
    """What one step changed and what it did not. `ok`: nothing frozen moved, and something that trains did."""

    tensors: Mapping[str, TensorProof]
    optimizers: int  # how many stepped

    @property
    def changed(self) -> tuple[str, ...]:
        return tuple(name for name, tensor in self.tensors.items() if tensor.changed)

    @property
    def unchanged(self) -> tuple[str, ...]:
        return tuple(name for name, tensor in self.tensors.items() if not tensor.changed)

    @property
    def leaked(self) -> tuple[str, ...]:
        """Frozen, and yet changed."""
        return tuple(name for name, tensor in self.tensors.items() if tensor.frozen and tensor.changed)

    @property
    def idle(self) -> tuple[str, ...]:
        """Parameters that are meant to train and did not change."""
        free = ((name, t) for name, t in self.tensors.items() if t.kind == "parameter" and not t.frozen)
        return tuple(name for name, tensor in free if not tensor.changed)

    @property
    def ok(self) -> bool:
        free = [t for t in self.tensors.values() if t.kind == "parameter" and not t.frozen]
        return not self.leaked and (not free or any(tensor.changed for tensor in free))

    def report(self) -> Report:
        rows = tuple(_row(tensor) for tensor in self.tensors.values())
        columns = ("tensor", "meant to", "did", "largest change", "gradient", "learning rate", "weight decay", "hash")
        findings = tuple(_findings(self))
        verdict = "The freezing holds" if self.ok else "The freezing does not hold"
        return Report(
            title="What one training step changes",
            summary=f"{verdict}: {len(self.changed)} tensors changed, {len(self.unchanged)} did not; "
            f"{len(self.leaked)} that should have stayed moved.",
            sections=(Section("Every parameter and buffer", (Table(columns, rows),)),),
            findings=findings,
            checked=tuple(self._stayed()),
            data={"ok": self.ok, "changed": list(self.changed), "unchanged": list(self.unchanged)},
        )

    def _stayed(self) -> Iterator[str]:
        for kind in ("parameter", "buffer"):
            number = sum(t.frozen and not t.changed for t in self.tensors.values() if t.kind == kind)
            if number:
                yield f"{number} frozen {kind}{'s' * (number > 1)} stayed, bit for bit"


def verify_frozen(model: nn.Module, step: Callable[[], object], *, frozen: str | Iterable[str] = ()) -> FreezeProof:
    """Run one real training step on a snapshot and prove what it changes; then put everything back, bit for bit.

    `step` does what the training loop does for one batch: mode, forward, backward, `optimizer.step()`. A parameter is
    meant to stay if its requires_grad is False; a buffer, if all parameters of its module (or of the nearest module
    around it that has any) are, or if `tc.freeze` holds the module; and everything inside the paths `frozen`.
    Model, optimizers and random streams are restored, also when `step` raises; a data iterator or a gradient scaler
    that `step` advances is not.

    Raises:
        InputError: a path in `frozen` holds no parameter and no buffer.
    """
    declared = (frozen,) if isinstance(frozen, str) else tuple(frozen)
    meant = _meant_to_stay(model, declared)
    observed = _Steps(model)
    with untouched(model), ExitStack() as restored:
        before = {name: (digest(tensor), tensor.detach().clone()) for name, tensor in _tensors(model)}
        with observed.watching(restored):
            step()
        after = dict(_tensors(model))
        proofs = {name: _prove(name, meant[name], *before[name], after.get(name), observed) for name in before}
    return FreezeProof(proofs, len(observed.optimizers))


def digest(tensor: Tensor) -> str:
    """BLAKE2b, 128 bit, of the bytes of the elements in logical order."""
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return blake2b(flat.view(torch.uint8).numpy().data, digest_size=16).hexdigest()


class _Steps:
    """The optimizers that step, and what they are about to do with each parameter of the model."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.names = {id(parameter): name for name, parameter in model.named_parameters()}
        self.optimizers: list[Optimizer] = []
        self.rates: dict[str, tuple[float, float]] = {}
        self.gradients: dict[str, float] = {}

    @contextmanager
    def watching(self, restored: ExitStack) -> Iterator[None]:
        def note(optimizer: Optimizer, *_: Any) -> None:
            if not any(optimizer is known for known in self.optimizers):
                self.optimizers.append(optimizer)
                restored.enter_context(untouched(self.model, optimizer=optimizer))
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    if id(parameter) in self.names:
                        self._note(self.names[id(parameter)], parameter, group)

        hook = register_optimizer_step_pre_hook(note)
        try:
            yield
        finally:
            hook.remove()

    def _note(self, name: str, parameter: Tensor, group: dict[str, Any]) -> None:
        self.rates[name] = (float(group["lr"]), float(group.get("weight_decay", 0.0)))
        if parameter.grad is not None:
            self.gradients[name] = float(parameter.grad.detach().abs().max()) if parameter.numel() else 0.0


def _tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from model.named_parameters()
    yield from model.named_buffers()


def _meant_to_stay(model: nn.Module, declared: tuple[str, ...]) -> dict[str, bool]:
    meant = {name: not parameter.requires_grad for name, parameter in model.named_parameters()}
    meant |= {name: _buffer_stays(model, name) for name, _ in model.named_buffers()}
    for path in declared:
        inside = [name for name in meant if name == path or name.startswith(f"{path}.") or not path]
        if not inside:
            raise InputError(f"{type(model).__name__} has no parameter and no buffer at {path!r}, given in frozen.")
        meant |= dict.fromkeys(inside, True)
    return meant


def _buffer_stays(model: nn.Module, name: str) -> bool:
    path = name.rpartition(".")[0]
    if is_held(model.get_submodule(path)):
        return True
    while True:
        parameters = list(model.get_submodule(path).parameters())
        if parameters or not path:
            return bool(parameters) and not any(parameter.requires_grad for parameter in parameters)
        path = path.rpartition(".")[0]


def _prove(name: str, frozen: bool, before: str, old: Tensor, now: Tensor | None, observed: _Steps) -> TensorProof:
    learning_rate, weight_decay = observed.rates.get(name, (None, None))
    same_form = now is not None and now.shape == old.shape
    change = (now.detach().double() - old.double()).abs().max().item() if same_form and old.numel() else 0.0  # type: ignore[union-attr]
    return TensorProof(
        name=name,
        kind="parameter" if name in observed.names.values() else "buffer",
        frozen=frozen,
        before=before,
        after="" if now is None else digest(now),
        largest_change=change,
        gradient=observed.gradients.get(name),
        in_optimizer=name in observed.rates,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
    )


def _row(tensor: TensorProof) -> tuple[str | float | None, ...]:
    meant, did = "stay" if tensor.frozen else "train", "changed" if tensor.changed else "stayed"
    if tensor.kind == "buffer" and not tensor.frozen:
        meant = "follow"
    hashes = tensor.before[:8] if not tensor.changed else f"{tensor.before[:8]} → {tensor.after[:8]}"
    numbers = (tensor.largest_change, tensor.gradient, tensor.learning_rate, tensor.weight_decay)
    return (tensor.name, meant, did, *numbers, hashes)


def _findings(proof: FreezeProof) -> Iterator[Finding]:
    for name in proof.leaked:
        tensor = proof.tensors[name]
        evidence: dict[str, float | None] = {"largest_change": tensor.largest_change}
        if tensor.kind == "buffer":
            message = f"{name} moved by {tensor.largest_change:.3g} in a frozen module: it runs in train mode."
            fix = "Freeze it with tc.freeze, which keeps it in eval mode when model.train() is called."
            yield Finding("MOD006", "frozen-batchnorm-drift", "error", message, name, evidence=evidence, fix=fix)
        else:
            evidence |= {"gradient": tensor.gradient, "weight_decay": tensor.weight_decay}
            message = f"{name} was meant to stay and moved by {tensor.largest_change:.3g}: {_cause(tensor)}."
            fix = "Freeze it with tc.freeze, which also clears its gradient, before the step."
            yield Finding("FRZ001", "frozen-parameter-moved", "error", message, name, evidence=evidence, fix=fix)
    for name in proof.idle:
        held = proof.tensors[name].in_optimizer
        code, disease = ("WIR008", "parameters-not-updated") if held else ("WIR003", "parameter-not-in-optimizer")
        message = f"{name} is meant to train and did not change: {_reason(proof.tensors[name])}."
        fix = "" if held else "Build the optimizer after the surgery, for example from tc.parameter_groups(model, …)."
        yield Finding(code, disease, "warning", message, name, fix=fix)


def _cause(tensor: TensorProof) -> str:
    if not tensor.in_optimizer:
        return "the step wrote to it outside any optimizer"
    if tensor.gradient is None:
        return "the optimizer moved it without a gradient"
    if tensor.gradient == 0 and tensor.weight_decay:
        return f"its gradient is zero, not None, so weight decay {tensor.weight_decay:g} is applied"
    if tensor.gradient == 0:
        return "its gradient is zero, not None, so the optimizer's momentum still moves it"
    return "the optimizer holds it with a gradient"


def _reason(tensor: TensorProof) -> str:
    if not tensor.in_optimizer:
        return "no optimizer that stepped holds it"
    if tensor.gradient is None:
        return "no gradient reached it"
    if tensor.learning_rate == 0:
        return "its learning rate is 0"
    return "its gradient is zero" if tensor.gradient == 0 else "the update is smaller than its precision"
