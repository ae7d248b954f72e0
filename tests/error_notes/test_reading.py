"""The error in a text is found wherever it stands, and any text is read in time that grows with its length."""

import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from torchclinic.cli.main import cli
from torchclinic.error_notes import crash_in_text
from torchclinic.error_notes.reading import errors_in
from torchclinic.errors import InputError

MESSAGE = "RuntimeError: mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)"
TRACEBACK = f"""Traceback (most recent call last):
  File "/home/me/train.py", line 12, in <module>
    loss = step(model, x)
  File "/home/me/train.py", line 7, in step
    return model(x)
  File "/venv/lib/python3.11/site-packages/torch/nn/modules/linear.py", line 134, in forward
    return F.linear(input, self.weight, self.bias)
{MESSAGE}
"""


@pytest.mark.parametrize(
    "text",
    [
        MESSAGE,
        MESSAGE.partition(": ")[2],
        TRACEBACK,
        f"epoch 1\nepoch 2\n{TRACEBACK}\nshutting down\n",
        "\n".join(f"[rank0]: {line}" for line in TRACEBACK.splitlines()),
        f"{TRACEBACK}\nDuring handling of the above exception, another exception occurred:\n\nKeyError: 'x'\n",
    ],
)
def test_the_known_error_of_a_text_is_found(text: str) -> None:
    crash = crash_in_text(text)
    assert crash is not None
    assert crash.kind.code == "ERR001"


def test_the_line_of_a_traceback_is_the_innermost_of_the_user() -> None:
    crash = crash_in_text(TRACEBACK)
    assert crash is not None
    assert crash.line is not None
    assert (crash.line.file, crash.line.number) == ("/home/me/train.py", 7)
    assert crash.tensors == ()


def test_the_last_of_several_known_errors_is_explained() -> None:
    crash = crash_in_text(f"{TRACEBACK}\n{TRACEBACK.replace(MESSAGE, 'IndexError: index out of range in self')}")
    assert crash is not None
    assert crash.kind.code == "ERR051"


def test_an_error_in_the_traceback_of_a_worker_is_found() -> None:
    inner = TRACEBACK.replace("Traceback", "Original Traceback")
    crash = crash_in_text(f"RuntimeError: Caught RuntimeError in DataLoader worker process 0.\n{inner}")
    assert crash is not None
    assert crash.kind.code == "ERR001"


@pytest.mark.parametrize(
    "filler",
    ["step 3 loss 0.1\n", "RuntimeError: nothing known\n", "must be expected [1, 2\n", "a" * 50, '  File "x.py", line 1, in f\n'],
)
def test_time_grows_with_the_length_and_not_its_square(filler: str) -> None:
    def seconds(times: int) -> float:
        text = filler * times + "\n" + TRACEBACK
        start = time.process_time()
        assert crash_in_text(text) is not None
        return time.process_time() - start

    seconds(10)
    short, long = seconds(3_000), seconds(30_000)
    assert long < 40 * max(short, 0.02)  # a square would be 100 times


def test_every_error_is_told_at_most_once_and_their_number_is_bounded() -> None:
    assert len(list(errors_in(f"{MESSAGE}\n\n" * 5000))) < 300


def test_a_log_file_and_standard_input_are_read(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_text(f"epoch 1\n{TRACEBACK}")
    told = CliRunner().invoke(cli, ["explain", str(log)], standalone_mode=False)
    piped = CliRunner().invoke(cli, ["explain", "-"], input=log.read_text(), standalone_mode=False)
    assert told.return_value == piped.return_value == 0
    assert told.output == piped.output
    assert "train.py:7" in told.output


def test_of_what_is_unknown_the_nearest_kinds_are_given() -> None:
    text = "RuntimeError: The sizes of these matrices cannot be multiplied, shapes differ"
    result = CliRunner().invoke(cli, ["explain", text], standalone_mode=False)
    assert isinstance(result.exception, InputError)
    assert "nearest kinds are" in str(result.exception)
    assert "ERR001" in str(result.exception)
