"""How each tool is put on a script from outside, and what its messages mean in the catalogue's codes.

The tools need lines inside the script; their documentation shows which. The `Follower` adds these lines from outside,
where an author would write them: every model called with gradients (the outermost module, the first four) is handed to
the tool before its first call, together with the optimizer that holds its parameters (the newest, if none does), and
the loss of every backward. A script whose model is not an `nn.Module` cannot be handed over; the tool is then silent.

- torchmortem: `Autopsy(model, optimizer)`, default sampling, `step(loss=loss.item())` after each optimizer step (after
  each backward, if there is no optimizer), report at the end.
- torch-audit: `autopatch(model, optimizer=optimizer)` with `every_n_steps=1`: every step is audited. Its default of 1000
  would look at the first step only.
- torchdiag: `summary` and `check_dead_neurons` before the first step; `verify_step` on a copy of the first step, where a
  loss of torch.nn.functional gets the model's output as it is; `check_gradients` after backwards 1, 10 and every 100th;
  `check_dead_neurons` on a copy at the end, with the last batch.
- anomaly: `torch.autograd.set_detect_anomaly(True)` before the script.
- pytorch: nothing; what PyTorch itself says in warnings and exceptions.
"""

import contextlib
import copy
import io
import itertools
import json
import os
import re
import tempfile
from pathlib import Path

MOST_MODELS = 4
LOSSES = (
    "cross_entropy nll_loss mse_loss l1_loss smooth_l1_loss huber_loss binary_cross_entropy "
    "binary_cross_entropy_with_logits kl_div"
).split()


def message(name, severity, text, module="", line=None):
    return {"id": name, "severity": severity, "text": text.strip().partition("\n")[0][:240], "module": module or "", "line": line}


class Follower:
    """Finds what a script trains while it runs, and calls `begin`, `after_backward`, `after_step` and `end` of a tool."""

    def __init__(self):
        import torch
        from torch import nn
        from torch.optim.optimizer import register_optimizer_step_post_hook

        self.optimizers, self.models, self.inputs, self.depth, self.loss, self.backwards = [], [], {}, 0, None, 0
        call, backward, make = nn.Module.__call__, torch.Tensor.backward, torch.optim.Optimizer.__init__

        def followed_call(module, *args, **kwargs):
            if self.depth or not torch.is_grad_enabled() or not any(p.requires_grad for p in module.parameters()):
                return call(module, *args, **kwargs)
            self.depth += 1
            try:
                known = any(module is model for model, _ in self.models)
                if not known and len(self.models) < MOST_MODELS:
                    self.models.append((module, self.optimizer_of(module)))
                    self.begin(module, self.models[-1][1], args, kwargs)
                output = call(module, *args, **kwargs)
            finally:
                self.depth -= 1
            self.inputs[id(module)] = (args, kwargs, output)
            return output

        def followed_backward(tensor, *args, **kwargs):
            backward(tensor, *args, **kwargs)
            self.loss, self.backwards = tensor.detach(), self.backwards + 1
            self.after_backward()
            if not self.optimizers:
                self.after_step(None)

        def followed_make(optimizer, *args, **kwargs):
            make(optimizer, *args, **kwargs)
            self.optimizers.append(optimizer)

        nn.Module.__call__, torch.Tensor.backward, torch.optim.Optimizer.__init__ = (
            followed_call,
            followed_backward,
            followed_make,
        )
        register_optimizer_step_post_hook(lambda optimizer, args, kwargs: self.after_step(optimizer))

    def optimizer_of(self, module):
        own = {id(p) for p in module.parameters()}
        holders = [o for o in self.optimizers if any(id(p) in own for g in o.param_groups for p in g["params"])]
        return (holders or self.optimizers or [None])[-1]

    @contextlib.contextmanager
    def aside(self):
        """The tool's own forwards and backwards are not followed, and do not move the script's random numbers."""
        import torch

        self.depth += 1
        backwards, loss = self.backwards, self.loss
        hold, self.after_backward = self.after_backward, lambda: None
        try:
            with torch.random.fork_rng():
                yield
        finally:
            self.depth -= 1
            self.after_backward, self.backwards, self.loss = hold, backwards, loss

    def begin(self, model, optimizer, args, kwargs): ...
    def after_backward(self): ...
    def after_step(self, optimizer): ...
    def end(self):
        return []


class Torchmortem(Follower):
    def __init__(self):
        self.autopsies = []
        super().__init__()

    def begin(self, model, optimizer, args, kwargs):
        from torchmortem import Autopsy

        autopsy = Autopsy(model, optimizer=optimizer)
        autopsy.attach()
        self.autopsies.append((autopsy, optimizer))

    def after_step(self, optimizer):
        for autopsy, own in self.autopsies:
            if own is optimizer and self.loss is not None and self.loss.numel() == 1:
                autopsy.step(loss=self.loss.item())

    def end(self):
        told = []
        for autopsy, _ in self.autopsies:
            autopsy.detach()
            for f in autopsy.get_report().findings:
                severity = {"INFO": "info", "WARNING": "warning", "CRITICAL": "error"}[f.severity.name]
                layers = ", ".join(f.affected_layers)
                told.append(message(f"{f.category}: {f.title}", severity, f.summary, layers))
        return sorted(told, key=lambda m: ("error", "warning", "info").index(m["severity"]))


class TorchAudit(Follower):
    def __init__(self):
        self.auditors = []
        super().__init__()

    def begin(self, model, optimizer, args, kwargs):
        from torch_audit import autopatch

        self.auditors.append(autopatch(model, optimizer=optimizer, every_n_steps=1))

    def end(self):
        told = {}
        for auditor in self.auditors:
            for f in auditor.finish().findings:
                severity = {"INFO": "info", "WARN": "warning"}.get(f.severity.value, "error")
                key = (f.rule_id, f.module_path, f.entity)
                told.setdefault(key, message(f.rule_id, severity, f.message, f.module_path or ""))
        return sorted(told.values(), key=lambda m: ("error", "warning", "info").index(m["severity"]))


class Torchdiag(Follower):
    def __init__(self):
        import torch.nn.functional as F

        self.told, self.verified = {}, False
        super().__init__()
        for name in LOSSES:
            setattr(F, name, self.verifying(getattr(F, name)))

    def ask(self, check, *args):
        import torchdiag

        printed = io.StringIO()
        try:
            with self.aside(), contextlib.redirect_stdout(printed):
                getattr(torchdiag, check)(*args)
        except Exception as error:
            if check != "check_dead_neurons":  # whose second argument has to be the whole input of the model
                raise RuntimeError(f"torchdiag.{check} failed") from error
        for line in printed.getvalue().splitlines():
            if line.startswith("  • "):
                name = line[4:].split(":")[0] if ":" in line and "failed" not in line else ""
                kind = re.sub(r"[\d.]+(e[+-]?\d+)?", "N", line[4:].partition(": ")[2] or line[4:])
                self.told.setdefault((check, name, kind), message(check, "warning", line[4:], name))

    def begin(self, model, optimizer, args, kwargs):
        self.ask("summary", model)
        self.look_for_dead(model, args, kwargs)

    def look_for_dead(self, model, args, kwargs):
        if len(args) == 1 and not kwargs:
            with contextlib.suppress(RuntimeError):  # a model that cannot be copied
                self.ask("check_dead_neurons", copy.deepcopy(model), args[0].detach())

    def verifying(self, function):
        def called(prediction, *args, **kwargs):
            value = function(prediction, *args, **kwargs)
            target = args[0] if args else kwargs.get("target")
            for model, optimizer in self.models:
                inputs, named, output = self.inputs.get(id(model), ((), {}, None))
                ready = not self.verified and output is prediction and optimizer is not None and not named
                if ready and len(inputs) == 1:
                    self.verified = True
                    options = {k: v for k, v in kwargs.items() if k != "target"}
                    with contextlib.suppress(RuntimeError):
                        twin, its = copy.deepcopy((model, optimizer))
                        loss = lambda out, y: function(out, y, *args[1:], **options)  # noqa: B023, E731
                        self.ask("verify_step", twin, its, loss, inputs[0].detach(), target)
            return value

        return called

    def after_backward(self):
        if self.backwards in (1, 10) or self.backwards % 100 == 0:
            for model, _ in self.models:
                self.ask("check_gradients", model)

    def end(self):
        for model, _ in self.models:
            args, kwargs, _ = self.inputs.get(id(model), ((), {}, None))
            self.look_for_dead(model, args, kwargs)
        return list(self.told.values())


class Anomaly:
    def __init__(self):
        import torch

        torch.autograd.set_detect_anomaly(True)

    def end(self):
        return []


class PyTorch:
    def end(self):
        return []


class Torchclinic:
    """Runs the script itself, as `torchclinic run --fail-on never` does."""

    def run(self, path):
        from torchclinic.cli.run import command

        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder, "report.json")
            command.main(["--fail-on", "never", "--json", str(report), str(path)], standalone_mode=False)
            findings = json.loads(report.read_text())["findings"]
        told = []
        for f in sorted(findings, key=lambda f: f["rank"]):
            line = next(iter(_lines(f, path.name)), None)
            text = f["message"].replace(f"{path.parent}{os.sep}", "")
            told.append(message(f["code"], f["severity"], text, f["where"], line))
            told[-1]["lines"] = _lines(f, path.name)
        return told


def _lines(finding, name):
    places = [v.rpartition(":") for v in (finding["line"], *finding["evidence"].values()) if isinstance(v, str)]
    return [int(number) for file, _, number in places if number.isdigit() and Path(file).name == name]


# tool -> (distribution, modules to load before forking, adapter)
TOOLS = {
    "torchclinic": (
        "torchclinic",
        ("torchclinic.cli.run", "torchclinic.running.launcher", "torchclinic.diagnosis.diagnose"),
        Torchclinic,
    ),
    "torchmortem": ("torchmortem", ("torchmortem",), Torchmortem),
    "torch-audit": (
        "torch-audit",
        ("torch_audit", "torch_audit.loader", "torch_audit.validators.builtin.data"),
        TorchAudit,
    ),
    "torchdiag": ("torchdiag", ("torchdiag",), Torchdiag),
    "anomaly": ("torch", (), Anomaly),
    "pytorch": ("torch", (), PyTorch),
}

# What a message names, generously: every disease its text could be read as naming. A pattern is searched in "id text".
_STUCK = "WIR002 WIR003 WIR004 WIR006 WIR007 WIR008 WIR009 OPT002 OPT003 OPT006 GRA001 INI002 LOS004 LOS010 ACT003"
_NO_GRADIENT = "WIR003 WIR005 WIR006 WIR007 WIR008 WIR009 LOS006"
_DEAD = "ACT001 ACT003 INI002 INI005 INI006"
_VANISHING = "GRA001 INI002 INI003 INI005 INI006 ACT001 ACT002 WIR006 WIR007 WIR009"
_EXPLODING = "GRA002 INI004 INI006 OPT001 NUM001 DAT001 DST002"
_NAN = "NUM001 NUM002 DAT008 OPT001 GRA002 INI004"
_PYTORCH = {
    r"target size .* different to the input size": "SHP001",
    r"lr_scheduler\.step": "OPT004 OPT003",
    r"view size is not compatible|shape .* is invalid for input": "SHP004",
    r"through the graph a second time": "EVA002 WIR001",
    r"does not require grad": "WIR007 WIR006 LOS006",
    r"refer to a single memory location|overlap": "SHP005",
    r"Target .* out of bounds|index out of range|device-side assert": "DAT008",
    r"more than 1 value per channel": "MOD004",
    r"[Mm]issing key|size mismatch|[Uu]nexpected key": "INI007",
    r"between 0 and 1": "LOS005",
    r"batchmean": "LOS005",
    r"returned nan values|^UserWarning Error detected in": _NAN,
}
MEANINGS = {
    "torchmortem": {
        r"^dead_units": _DEAD,
        r"^saturation": "ACT002 INI004 INI006 DAT001 OPT001",
        r"Vanishing gradients|Gradient stalling": _VANISHING,
        r"Exploding gradients": _EXPLODING,
        r"Update ratio too low": _STUCK,
        r"Update ratio too high": "OPT001 GRA002 OPT005",
        r"Weight norm explosion": "OPT001 GRA002 LOS008",
        r"Stagnant weight norms": _STUCK,
        r"weight norm imbalance": "INI003 INI004 INI006 OPT005",
        r"divergence": "OPT001 GRA002 LOS008 NUM001",
        r"plateau": _STUCK,
        r"^rank_collapse": "ACT003 INI001 INI002 ACT001",
        r"Catapult|Edge of stability": "OPT001",
    },
    "torch-audit": {
        r"^TA100": _NAN,
        r"^TA102": _EXPLODING,
        r"^TA103": _VANISHING + " LOS004",
        r"^TA104": _NO_GRADIENT + " WIR002",
        r"^TA105": _DEAD,
        r"^TA301": "DAT001 DAT008",
        r"^TA302": "DAT008 DAT001 DAT002",
        r"^TA303": "SHP002",
        r"^TA304": "MOD004",
        r"^TA305": "DAT008",
        r"^TA40[123]": "OPT005",
        r"^TA405": "INI002",
        r"^TA500": "WIR009 WIR005",
        r"^TA501": "MOD002 MOD005 MOD006",
    },
    "torchdiag": {
        r"NaN|not finite| nan": _NAN,
        r"gradient is None|None gradients|ALL parameters are frozen": _NO_GRADIENT,
        r"exploding": _EXPLODING,
        r"vanishing": _VANISHING,
        r"neurons dead": _DEAD,
        r"No parameters changed": _STUCK,
        r"view size|invalid for input": "SHP004",
        r"out of bounds|index out of range": "DAT008",
        r"more than 1 value per channel": "MOD004",
        r"Backward pass failed": "WIR007 WIR006 LOS006 SHP005",
    },
    "anomaly": _PYTORCH,
    "pytorch": _PYTORCH,
}
# Advice on speed or style, which is not about a fault: false alarms are also counted without it.
ADVICE = re.compile(r"^TA(20[0-3]|40[0-4])")


def meant(tool, told):
    """The codes a message may be read as naming."""
    if tool == "torchclinic":
        return {told["id"]}
    text = f"{told['id']} {told['text']}"
    patterns = MEANINGS[tool].items()
    return set(itertools.chain.from_iterable(codes.split() for pattern, codes in patterns if re.search(pattern, text)))
