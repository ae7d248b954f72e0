"""The walk through CONTRIBUTING.md: a rule with a new observation is three new files, and no existing one is edited."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import torchclinic

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"`(src/torchclinic/\S+\.py)`:\n\n```python\n(.*?)```", re.S)
TRY = """
import json, sys
from pathlib import Path
from torchclinic.rules import dat099_empty_batch as rule
Path("sick.py").write_text(rule.sick().script)
Path("healthy.py").write_text(rule.healthy().script)
"""


def test_the_files_of_the_walk_make_a_rule(tmp_path: Path) -> None:
    blocks = BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text())
    assert [Path(name).name for name, _ in blocks] == ["empty_batches.py", "empty_batches.py", "dat099_empty_batch.py"]
    shutil.copytree(Path(torchclinic.__file__).parent, tmp_path / "src" / "torchclinic")
    for name, text in blocks:
        path = tmp_path / name
        assert not path.exists(), "the walk edits no file"
        path.write_text(text)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "src"), "OMP_NUM_THREADS": "1"}

    def python(*arguments: str) -> str:
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        return done.stdout + done.stderr

    assert python("-c", TRY) == ""
    run = ("-m", "torchclinic", "run", "--select", "DAT099")
    assert "DAT099 empty-batch" in python(*run, "sick.py")
    assert "Nothing is wrong" in python(*run, "healthy.py")
