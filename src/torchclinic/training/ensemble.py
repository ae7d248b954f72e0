"""Many small networks of one architecture trained together: stacked parameters, one vectorized step for all.

A Python loop over small networks spends its time on launching operations; stacked, one launch serves them all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap

from torchclinic.errors import InputError

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Ensemble:
    """`losses` [steps, E] before each step; `parameters` maps a name to a tensor [E, ...] after the last."""

    losses: Tensor
    parameters: dict[str, Tensor]

    def load_into(self, models: Sequence[nn.Module]) -> None:
        """Write the trained parameters back into the models they came from."""
        for index, model in enumerate(models):
            with torch.no_grad():
                for name, parameter in model.named_parameters():
                    parameter.copy_(self.parameters[name][index])


def train_together(
    models: Sequence[nn.Module],
    inputs: Tensor,
    targets: Tensor,
    loss_fn: Loss,
    *,
    steps: int,
    lr: float | Sequence[float],
    momentum: float = 0.0,
) -> Ensemble:
    """Train copies of one architecture by SGD on the same full batch for `steps` steps, all at once.

    inputs [B, ...], targets [B, ...]; `lr` is one learning rate or one per model. The models themselves are not changed
    (`Ensemble.load_into` does that). Deterministic: the same models give the same bits.

    Raises:
        InputError: no models, models of different architecture, or not one learning rate per model.
    """
    if not models:
        raise InputError("No models were given; an ensemble needs at least one.")
    rates = torch.as_tensor([lr] * len(models) if isinstance(lr, int | float) else list(lr))
    if len(rates) != len(models):
        raise InputError(f"{len(rates)} learning rates for {len(models)} models; give one for all or one each.")
    try:
        parameters, buffers = stack_module_state(list(models))
    except RuntimeError as error:
        raise InputError("The models differ in architecture or mode; an ensemble needs copies of one.") from error
    parameters = {name: value.detach() for name, value in parameters.items()}
    base = models[0]

    def loss_of(one: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        return loss_fn(functional_call(base, (one, state), (inputs,)), targets)

    step = vmap(grad_and_value(loss_of), randomness="different")
    velocity = {name: torch.zeros_like(value) for name, value in parameters.items()}
    losses = []
    for _ in range(steps):
        gradients, loss = step(parameters, buffers)
        losses.append(loss.detach())
        for name, gradient in gradients.items():
            velocity[name] = momentum * velocity[name] + gradient if momentum else gradient
            scale = rates.to(gradient).reshape(-1, *[1] * (gradient.dim() - 1))
            parameters[name] = parameters[name] - scale * velocity[name]
    return Ensemble(torch.stack(losses), parameters)
