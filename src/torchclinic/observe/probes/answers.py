"""Token targets that are among the model's own input, and which positions of the input an output depends on."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from torchclinic.instruments.arguments import apply, common_rows, first_rows
from torchclinic.instruments.guard import untouched
from torchclinic.instruments.values import is_plain, tensors_in
from torchclinic.observe.apart import beside
from torchclinic.observe.events import LossCalled, ModelRuns
from torchclinic.observe.probe import Probe, unsuitable
from torchclinic.observe.probes.eval_pass import outputs_of
from torchclinic.observe.records import AnswerInInput
from torchclinic.observe.state.model_track import ModelTrack
from torchclinic.script.lines import user_line
from torchclinic.vocabulary import LABEL_LOSSES

LEAST_POSITIONS = 6
LEAST_TOKENS = 4  # different ones among the targets; fewer agree by accident
MOST_SHIFT = 2
MOST_ROWS = 4
ALIKE = 0.99  # of the targets, equal to an input
ROUNDING = 1e-4  # of the spread of the outputs

Match = tuple[int, int, int, list[int]]  # place of the input, its time dimension, shift, positions that have targets


class Answers(Probe):
    """A loss shows which input its targets are; the next forward of the model shows what its outputs depend on."""

    def prepare(self) -> None:
        self._found: dict[int, AnswerInInput] = {}  # by model
        self._latest: tuple[ModelTrack, list[Tensor]] | None = None
        self._matches: dict[int, tuple[Match, float, str]] = {}

    def model_runs(self, event: ModelRuns) -> None:
        model, track, args, kwargs = event.model, event.track, event.args, event.kwargs
        if event.forward.to_train and not unsuitable(model, track, args, kwargs):
            self.attempt(lambda: self._look(model, track, args, kwargs))

    def _look(self, model: nn.Module, track: ModelTrack, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        inputs = [tensor.detach() for tensor in _tokens(args, kwargs)]
        self._latest = (track, inputs) if inputs and track.index not in self._found else None
        found = self._matches.pop(track.index, None)
        if found is not None:
            match, share, line = found
            record = self._found[track.index] = AnswerInInput(track.kind, line, self.state.clock.step, match[2], share)
            try:
                outcome = beside(model, [args, kwargs], lambda: _probe(model, match, args, kwargs))
                record.positions, record.changed, record.reason = outcome
            except (RuntimeError, ValueError, IndexError, TypeError) as error:
                record.reason = f"an extra forward with other tokens failed: {str(error).splitlines()[0]}"

    def loss_called(self, event: LossCalled) -> None:
        target, ignored = event.target, event.bound.get("ignore_index", -100)
        classes = event.training and event.function in LABEL_LOSSES
        if self._latest is None or not classes or target.is_floating_point():
            return
        track, inputs = self._latest
        for place, tokens in enumerate(inputs):
            for dim, shift in product((1, 0), range(MOST_SHIFT + 1)):
                found = _compare(tokens, target.detach(), dim, shift, ignored)
                if found is not None:
                    self._matches[track.index] = (place, dim, shift, found[1]), found[0], user_line()
                    self._latest = None
                    return

    def records(self) -> Iterator[object]:
        yield from super().records()
        yield from self._found.values()


def _probe(model: nn.Module, match: Match, args: Any, kwargs: Any) -> tuple[int, int, str]:
    """Change the tokens after some positions: how many, after how many the outputs up to there change, and why nothing is known."""
    place, dim, _, positions = match
    if dim == 1 and common_rows(args, kwargs) > MOST_ROWS:
        args, kwargs = first_rows((args, kwargs), MOST_ROWS)
    tokens = _tokens(args, kwargs)[place]
    with untouched(model), torch.no_grad():
        model.eval()

        def run(changed: Tensor) -> Tensor | None:
            torch.manual_seed(0)
            new = apply((args, kwargs), lambda tensor: (changed if tensor is tokens else tensor).clone())
            return _over_time(outputs_of(model(*new[0], **new[1])), tokens, dim)

        first, again = run(tokens), run(tokens)
        if first is None or again is None or not torch.equal(first, again):
            return 0, 0, "its output in eval mode has no time dimension, or is random"
        spread = float((first - first.mean(0, keepdim=True)).square().mean().sqrt())
        tried = changed = 0
        for position in [p for p in _spaced(positions) if p + 1 < tokens.shape[dim]]:
            after = run(_changed_after(tokens, position, dim))
            if after is not None:
                kept = [p for p in positions if p <= position]
                tried += 1
                changed += float((after[kept] - first[kept]).abs().max()) > ROUNDING * spread
    return tried, changed, ""


def _tokens(args: Any, kwargs: Any) -> list[Tensor]:
    return [
        tensor
        for tensor in tensors_in([args, kwargs])
        if is_plain(tensor) and tensor.dim() == 2 and tensor.dtype in (torch.int64, torch.int32)
    ]


def _compare(tokens: Tensor, target: Tensor, dim: int, shift: int, ignored: object) -> tuple[float, list[int]] | None:
    """The share of targets that are the token `shift` positions later, and the positions that have targets."""
    time = tokens.shape[dim]
    later = tokens.narrow(dim, shift, time - shift) if time > shift + LEAST_POSITIONS else None
    if later is None or (shift == 0 and dim == 0):
        return None
    if target.numel() == tokens.numel():
        wanted = target.reshape(tokens.shape).narrow(dim, 0, time - shift)
    elif target.numel() == later.numel():
        wanted = target.reshape(later.shape)
    else:
        return None
    known = torch.ne(wanted, ignored) if isinstance(ignored, int) else torch.ones_like(wanted, dtype=torch.bool)
    share = float((wanted == later)[known].double().mean()) if bool(known.any()) else 0.0
    if share < ALIKE or len(wanted[known].unique()) < LEAST_TOKENS:
        return None
    positions = known.all(1 - dim).nonzero().flatten().tolist()
    return (share, positions) if len(positions) >= LEAST_POSITIONS else None


def _over_time(outputs: list[Tensor], tokens: Tensor, dim: int) -> Tensor | None:
    """The first output that has one vector for each token, as [time, batch, ...]."""
    batch, time = tokens.shape[1 - dim], tokens.shape[dim]
    for output in outputs:
        if output.dim() == 2 and len(output) == tokens.numel():
            return output.reshape(*tokens.shape, -1).movedim(dim, 0).float()
        if output.dim() == 3 and output.shape[:2] == tokens.shape:
            return output.movedim(dim, 0).float()
        if output.dim() == 3 and output.shape[0] == batch and output.shape[2] == time:
            return output.movedim(2, 0).float()
    return None


def _changed_after(tokens: Tensor, position: int, dim: int) -> Tensor:
    """Each token after `position` becomes another one of those that occur."""
    known, index = tokens.unique(return_inverse=True)
    other = known[(index + 1) % len(known)]
    changed = tokens.clone()
    changed.narrow(dim, position + 1, tokens.shape[dim] - position - 1).copy_(
        other.narrow(dim, position + 1, tokens.shape[dim] - position - 1)
    )
    return changed


def _spaced(positions: list[int]) -> list[int]:
    return sorted({positions[len(positions) * part // 4] for part in (0, 1, 2, 3)})
