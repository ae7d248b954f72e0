"""The life of a training step: how a run is observed from outside, and where what is seen goes.

A **tap** replaces or hooks one part of torch: module calls, operations, backward, optimizers, loaders, checkpoints ... It
owns what it replaced, keeps the **state** up to date, and tells **events**. **Collectors** and **probes** hear events by
methods of their names, read the state, write only themselves, and give **records**. Rules read records and nothing else.

1. `schedule` decides how closely a step is looked at. `Depth` is WAITING (for the first model), FULL, BETWEEN, PAUSED or
   STOPPED; `depth/schedule.py` alone turns it, within the `Budget`.
2. WAITING. `OperationEarly` tells how data are made.
3. FULL. The first call of a model tells `ModelBegins`, then `ModelRuns` (probes make passes of their own), `LayerEnded` for
   each module, `ModelEnds`. Every torch function gets a node in `state.flow` and tells `OperationCalled` to those who want
   its name; a loss of torch.nn.functional tells `LossCalled` and `LossReturned` as well.
4. `backward`: the state is brought up to date first (what is reached, which operations are used), then `BackwardBegins` is
   told. What the loss is made of is told by who finds it out, in `LossUnderstood`, so nobody depends on who heard first.
   `BackwardEnded` follows.
5. `optimizer.step()`: `StepBegins`, `StepEnds`, and `StepSeen` when the measurements of the whole step are in.
6. Where the next step is not looked at, `WindowEnded` and `ChainsForgotten` end the row. From then on it is BETWEEN: the
   wrappers ask one flag of `depth/between.py`, no event exists, and only the loss is noted; `glance` of a collector is called
   after each backward pass. `statistics/` samples outputs, gradients and weights at every step, if the budget allows.
7. `collect` asks everybody for records, and `ObservationEnds` is told last.

The whole vocabulary:

>>> from torchclinic.observe import events
>>> for event in events.EVENTS:
...     print(events.method_of(event))
operation_begins
operation_called
operation_early
loss_called
loss_returned
script_raised
loss_written
targets_compared
labels_guessed
loss_understood
loss_broke
labels_noted
decisions_compared
labels_evaluated
direction_noted
model_begins
model_runs
evaluation_runs
layer_ended
model_ends
backward_begins
backward_ended
gradients_computed
step_begins
step_ends
step_seen
window_ended
chains_forgotten
observation_ends
loader_opened
batch_drawn
state_dict_taken
state_dict_loads
state_dict_loaded
saved
schedule_stepped
gradients_clipped
model_wrapped
data_divided
group_ends
"""
