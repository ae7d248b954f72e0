"""Where each parameter belongs, and what became of it."""

import ast
from collections.abc import Iterator

from torchclinic.observe.collector import Collector
from torchclinic.observe.collectors.training.cuts import find_cuts
from torchclinic.observe.events import WindowEnded
from torchclinic.observe.records import ParameterRecord
from torchclinic.observe.state.tracks import ParameterTrack, refresh
from torchclinic.script.statements import statement_at


class Parameters(Collector):
    def prepare(self) -> None:
        self._cuts: dict[ParameterTrack, tuple[str, str]] = {}  # operation, line

    def window_ended(self, event: WindowEnded) -> None:
        find_cuts(self.state, self._cuts)

    def records(self) -> Iterator[ParameterRecord]:
        for track in self.state.training.parameters.values():
            refresh(track)
            yield self._record(track)

    def _record(self, track: ParameterTrack) -> ParameterRecord:
        models, training = self.state.models, self.state.training
        key = track.key
        model = next((m for m in models.tracks.values() if key in m.parameter_names), None)
        owner = next((m.owner_of[key] for m in models.tracks.values() if key in m.owner_of), (0, ""))
        held_by, line = models.unregistered.get(owner[0], ("", ""))
        stepping = [t for t in training.optimizers.values() if t.index in track.owners and t.steps > 0]
        siblings = next((m.siblings[owner[0]] for m in models.tracks.values() if owner[0] in m.siblings), ())
        name = models.prefix(model) + model.parameter_names[key] if model is not None else track.user_name
        cut, cut_line = self._cuts.get(track, ("", ""))
        return ParameterRecord(
            name=name or _written(track.made) or "(unnamed)",
            module=name.rpartition(".")[0],
            module_type=owner[1],
            shape=track.shape,
            registered=model is not None,
            held_by=held_by or track.line.partition("|")[0],
            is_parameter=track.is_parameter,
            owned=bool(stepping),
            owner_steps=max((t.steps for t in stepping), default=0),
            owner=max(stepping, key=lambda t: t.steps).index if stepping else -1,
            line=line or track.line.partition("|")[2],
            initialized_line=track.made,
            ran_line=models.ran_at.get(owner[0], ""),
            requires_grad=track.requires_grad,
            module_ran=models.ran.get(owner[0], 0),
            backwards=track.backwards,
            reached=track.reached,
            sibling_ran=any(key in models.ran for key in siblings),
            loaded=track.loaded,
            evaluating=owner[0] in models.ran and owner[0] not in models.ran_training,
            unchanged=track.unchanged,
            persistent=len(track.reached_steps) >= 2,
            input_like=track.input_like,
            by_hand=not training.stepping(),
            model_steps=self.state.clock.step - track.born,
            rows_equal=track.rows_equal,
            constant=track.constant,
            gradient_rows_equal=track.gradient_rows_equal,
            all_zero=track.all_zero,
            stayed_zero=track.stayed_zero,
            gradient_zero=track.gradient_zero,
            cut=cut,
            cut_line=cut_line,
        )


def _written(place: str) -> str:
    """What the line `file:number` assigns to, as in `self.centers = ...`; empty where it does not."""
    statement = statement_at(place)
    node = statement.node if statement is not None else None
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return statement.text(targets[0]) if statement is not None and targets else ""
