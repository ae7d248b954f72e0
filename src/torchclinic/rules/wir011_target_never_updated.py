"""A network that makes the targets never follows the one that is trained.

## What it means
The target network of Q-learning, or the teacher that averages a student, begins as a copy of the network that is trained
and is brought up to date again and again. Without that, the targets come from an untrained network to the end.
## Evidence
A network without an optimizer, whose outputs are on the side of a regression loss that has no gradient, of the structure
of one that is trained; its parameters are bit for bit those with which that one began (up to 512 numbers of each are
compared), made in this run and not loaded, and the same at the end after `steps` steps and `calls` further calls.
## When this is fine
A random target that was drawn for itself, a teacher or reference that was trained before or loaded. A copy that is only
due after more steps than the run has: the finding says that these steps had no use of it.
## Fix
Every k steps `target.load_state_dict(online.state_dict())`, or after each one
`for t, o in zip(target.parameters(), online.parameters()): t.data.lerp_(o.data, 0.005)`.
## References
Mnih et al. 2015, Human-level control through deep reinforcement learning; Lillicrap et al. 2015, arXiv:1509.02971 (targets
that follow slowly); Tarvainen and Valpola 2017, arXiv:1703.01780.
"""

from collections.abc import Iterator

from torchclinic.observe.records import RunRecord, TargetNetwork
from torchclinic.report.model import Finding
from torchclinic.rules.rule import Rule, Specimen
from torchclinic.rules.specimens import changed

RULE = Rule("WIR011", "target-never-updated", "warning", "exact", RunRecord, __doc__, needs=("a target network",))


def check(run: RunRecord, *, steps: int = 200, calls: int = 5, late: float = 0.9) -> Iterator[Finding]:
    """`steps`: soft updates come with each, hard ones usually within 10 to 100 of them; `calls`: once the two networks
    differ; `late`: share of the run at which it is still called, else another has taken its place."""
    for target in run.of(TargetNetwork):
        if not target.copied or not target.unchanged:
            continue
        if not target.online_moved or target.online_steps < steps or target.calls < calls:
            continue
        if target.last_call < late * run.steps:
            continue
        yield RULE.finding(
            f"`{target.name}` makes the targets of `{target.online}` and is still the copy of its untrained parameters "
            f"after {target.online_steps} steps: nothing updates it.",
            where=target.name,
            line=target.line,
            step=target.step,
            evidence={"steps": target.online_steps, "calls": target.calls, "parameters": target.parameters},
            fix=f"`{target.name}.load_state_dict({target.online}.state_dict())` every k steps, or a moving average.",
        )


def sick() -> Specimen:
    return Specimen(changed(_SCRIPT, ("target.load_state_dict(online.state_dict())", "pass")))


def healthy() -> Specimen:
    return Specimen(_SCRIPT)


_SCRIPT = """
import copy
import torch
from torch import nn

torch.manual_seed(0)
online = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
target = copy.deepcopy(online)
optimizer = torch.optim.Adam(online.parameters(), lr=3e-3)
for step in range(240):
    state = torch.randn(16, 4)
    following = 0.9 * state + 0.1 * torch.randn(16, 4)
    with torch.no_grad():
        goal = state.sum(1, keepdim=True) / 4 + 0.5 * target(following)
    optimizer.zero_grad()
    nn.functional.mse_loss(online(state), goal).backward()
    optimizer.step()
    if step % 20 == 19:
        target.load_state_dict(online.state_dict())
"""
