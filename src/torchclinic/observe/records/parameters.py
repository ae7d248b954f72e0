"""Parameters over the steps that were observed in full."""

from dataclasses import dataclass

from torchclinic.observe.records.record import Record


@dataclass(slots=True)
class ParameterRecord(Record, absence="no parameter was seen"):
    """A parameter over the steps that were observed in full."""

    name: str
    module: str
    module_type: str
    shape: tuple[int, ...]
    registered: bool  # in parameters() of a model that was called
    held_by: str  # the model in whose forward its unregistered module or the tensor itself was used
    is_parameter: bool
    owned: bool  # by an optimizer that steps
    owner_steps: int
    owner: int  # the optimizer that steps most; -1 = none
    line: str
    initialized_line: str  # where its first values were set, if by torch.nn.init
    ran_line: str  # where its module was called first
    requires_grad: bool
    module_ran: int  # forwards with gradients in which its module took part
    backwards: int  # observed backward passes
    reached: int  # of them, how many reached it; 1 if only later a gradient was found
    sibling_ran: bool  # its module is one of several alike in a container, and another of them runs
    loaded: bool  # its value came from load_state_dict
    evaluating: bool  # its module was in eval mode whenever it ran
    unchanged: bool  # bitwise the same at the end as when first seen
    persistent: bool  # the same tensor received gradients over several steps
    input_like: bool  # it was an argument of a model
    by_hand: bool  # no optimizer stepped in the run
    model_steps: int  # steps any optimizer took while it was known
    rows_equal: bool = False  # at the first step
    constant: bool = False  # every number is the same, and not 0
    gradient_rows_equal: bool = False
    all_zero: bool = False
    stayed_zero: bool = False
    gradient_zero: bool = False
    cut: str = ""  # where the graph was cut between its module and the loss
    cut_line: str = ""
