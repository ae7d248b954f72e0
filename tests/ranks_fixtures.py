"""A script under torchrun, each rank observed, the report of rank 0 read."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any


def observed_ranks(path: Path, ranks: int = 2, *options: str) -> dict[str, Any]:
    report = path.with_suffix(".json")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={ranks}"]
    command = [*launcher, "-m", "torchclinic", "run", "--fail-on", "never", *options, "--json", str(report), str(path)]
    sources = os.pathsep.join(entry for entry in sys.path if entry)
    temporary = path.parent / "temporary"
    temporary.mkdir()
    changed = {"OMP_NUM_THREADS": "1", "PYTHONPATH": sources, "TMPDIR": str(temporary), "PYTHONWARNINGS": "default"}
    done = subprocess.run(command, env=os.environ | changed, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert not list(temporary.glob("torchclinic-*")), "notes are left behind"
    found: dict[str, Any] = json.loads(report.read_text())
    return found


_EACH = """
import json, os, sys
import torch
from torchclinic.running.launcher import Target, launch
from torchclinic.observe.collecting import collect
from torchclinic.observe.session import Session
from torchclinic.rules.judging import judge

os.environ.update(RANK=sys.argv[1], WORLD_SIZE="2", LOCAL_WORLD_SIZE="2", MASTER_ADDR="127.0.0.1")
os.environ["TORCHCLINIC_STRICT"] = "1"
for port, path in zip(sys.argv[2::2], sys.argv[3::2]):
    os.environ["MASTER_PORT"] = port
    session = Session()
    outcome = launch(Target(path), session, lambda outcome: None)
    verdict = judge(collect(session), select=["DST"])
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    found = [[f.code, f.message, f.evidence.get("step"), list(f.causes)] for f in verdict.findings]
    reasons = {n.code: n.reason for n in verdict.not_checked}
    if sys.argv[1] == "0":
        print(json.dumps([outcome.note, found, reasons, list(verdict.checked)]))
"""


def judged_on_two_ranks(folder: Path, scripts: dict[str, str]) -> dict[str, list[Any]]:
    """The scripts, one after another in two processes: note of the ending, findings, reasons, codes found fine."""
    arguments = []
    for name, script in scripts.items():
        (folder / f"{name}.py").write_text(script)
        with socket.create_server(("127.0.0.1", 0)) as free:
            arguments += [str(free.getsockname()[1]), str(folder / f"{name}.py")]
    changed = {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "TMPDIR": str(folder)}
    command = [sys.executable, "-W", "ignore", "-c", _EACH]
    options: Any = {"env": os.environ | changed, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    ranks = [subprocess.Popen([*command, rank, *arguments], **options) for rank in "01"]
    said = [process.communicate(timeout=120) for process in ranks]
    assert [process.returncode for process in ranks] == [0, 0], said
    assert not list(folder.glob("torchclinic-*")), "notes are left behind"
    return dict(zip(scripts, map(json.loads, said[0][0].splitlines()), strict=True))
