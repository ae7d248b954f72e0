"""Every command writes to every stream: redirected output on Windows knows few characters."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rules.when_fine import SICK
from torchclinic.cli.plainly import plain

COMMANDS = {
    "explain": ["explain", "DAT005"],
    "rules": ["rules"],
    "exercise": ["exercise", "list"],
    "run": ["run", "-v", "train.py"],
    "checkup": ["checkup", "train.py"],
    "help": ["--help"],
}


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "utf-8"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_writes_in_any_encoding(command: str, encoding: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SICK["LRN001"])
    arguments = [sys.executable, "-m", "torchclinic", *COMMANDS[command]]
    done = subprocess.run(
        arguments, cwd=tmp_path, env={**os.environ, "PYTHONIOENCODING": encoding}, capture_output=True, check=False
    )
    text = (done.stdout + done.stderr).decode(encoding)
    assert "UnicodeEncodeError" not in text
    assert len(text) > 100
    assert "\\u2" not in text  # our own signs are not written as escapes


@pytest.mark.parametrize(
    ("character", "written"), [("→", "->"), ("κ", "kappa"), ("é", "e"), ("²", "2"), ("█", "@"), ("猫", "\\u732b")]
)
def test_a_character_is_written_as_one_would_type_it(character: str, written: str) -> None:
    assert plain(character) == written
