"""`torchclinic run` and `checkup`: whatever a script does, its exit code and output are kept, and a report is written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from torchclinic.cli.main import main
from torchclinic.rules.specimens import CLASSIFIER, REGRESSION, changed

SICK = changed(CLASSIFIER, ("model(xb), yb", "model(xb).softmax(1), yb"))


def run(tmp_path: Path, script: str, *options: str, command: str = "run", arguments: tuple[str, ...] = ()) -> tuple[int, dict]:
    """Exit code and JSON report, in this process."""
    path = tmp_path / "train.py"
    path.write_text(script)
    report = tmp_path / "report.json"
    with pytest.raises(SystemExit) as ended:
        main([command, "--json", str(report), *options, str(path), *arguments])
    return int(ended.value.code or 0), json.loads(report.read_text()) if report.exists() else {}


def test_a_healthy_script_exits_0_and_every_rule_is_accounted_for(tmp_path: Path) -> None:
    code, report = run(tmp_path, CLASSIFIER)
    assert (code, report["findings"]) == (0, [])
    assert report["schema"] == "torchclinic.report/1"
    assert report["script"]["exit_code"] == 0
    assert report["script"]["steps"] == 10
    assert "WIR001" in report["checked"]
    assert {item["code"] for item in report["not_checked"]}.isdisjoint(report["checked"])


def test_a_finding_names_line_step_and_fix_and_fails_the_command(tmp_path: Path) -> None:
    code, report = run(tmp_path, SICK)
    (finding,) = report["findings"]
    assert code == 1
    assert finding["code"] == "LOS001"
    assert finding["rank"] == 1
    line = int(finding["line"].rpartition(":")[2])
    assert "softmax" in SICK.splitlines()[line - 1]
    assert set(finding) == {
        "code",
        "name",
        "severity",
        "rank",
        "where",
        "line",
        "step",
        "message",
        "evidence",
        "fix",
        "causes",
        "corrected",
        "cause_line",
        "fix_checked",
        "excerpt",
        "patch",
    }


def test_fail_on_never_and_ignore_keep_the_exit_code_at_0(tmp_path: Path) -> None:
    assert run(tmp_path, SICK, "--fail-on", "never")[0] == 0
    code, report = run(tmp_path, SICK, "--ignore", "LOS")
    assert (code, report["findings"]) == (0, [])
    assert run(tmp_path, SICK, "--select", "WIR,LOS001")[0] == 1


@pytest.mark.parametrize("option", ["--select", "--ignore"])
def test_a_code_that_no_rule_has_is_bad_input_and_the_script_does_not_run(
    tmp_path: Path, option: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, SICK + "print('ran')\n", option, "WIR,QQQ")[0] == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == f"torchclinic: {option} QQQ: no rule's code begins so; `torchclinic rules` lists them.\n"


def test_the_scripts_output_stays_on_stdout_and_ours_goes_to_stderr(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, CLASSIFIER + "print('mine')\n")
    captured = capfd.readouterr()
    assert captured.out == "mine\n"
    assert "rules found nothing wrong" in captured.err


def test_github_format_is_one_workflow_command_per_finding(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, SICK, "--format", "github")
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("::")]
    assert len(lines) == 1
    assert lines[0].startswith("::error file=")
    assert "line=" in lines[0]
    assert "LOS001" in lines[0]


@pytest.mark.parametrize(
    ("ending", "expected", "said"),
    [
        ("import sys; sys.exit(3)", 3, "exited with code 3"),
        ("import sys; sys.exit('over')", 1, "over"),
        ("raise KeyError('gone')", 1, "KeyError"),
        ("raise KeyboardInterrupt", 130, "interrupted"),
        ("raise SystemExit", 0, "exited with code 0"),
    ],
)
def test_the_scripts_own_exit_code_is_kept_and_the_report_is_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], ending: str, expected: int, said: str
) -> None:
    code, report = run(tmp_path, CLASSIFIER + ending + "\n")
    assert code == expected
    assert report["script"]["exit_code"] == expected
    assert said in capfd.readouterr().err


def test_ctrl_c_prints_the_scripts_traceback_without_our_frames(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)  # a process group of another test leaves one that adds ranks
    run(tmp_path, CLASSIFIER + "def rest():\n    raise KeyboardInterrupt\nrest()\n")
    said = capfd.readouterr().err
    assert said.startswith("Traceback")
    assert "in rest\n    raise KeyboardInterrupt\nKeyboardInterrupt\n" in said
    assert "torchclinic/running/launcher.py" not in said


def test_an_exception_is_explained_and_its_rule_fires(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    script = changed(CLASSIFIER, ("    loss.backward()", "    loss.detach().backward()"))
    code, report = run(tmp_path, script)
    assert code == 1
    assert [finding["code"] for finding in report["findings"]] == ["ERR093"]
    said = capfd.readouterr().err
    assert "Traceback" in said
    assert "torchclinic/running/launcher.py" not in said


def test_a_script_that_never_trains_is_told_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, report = run(tmp_path, "print('hello')\n")
    assert (code, report["findings"]) == (0, [])
    assert "nothing was trained" in capfd.readouterr().err
    assert {"code": "WIR001", "reason": "nothing was trained through autograd"} in report["not_applicable"]


def test_arguments_main_guard_and_local_imports_work(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sizes.py").write_text("WIDTH = 5\n")
    script = (
        "import argparse, sizes\nparser = argparse.ArgumentParser()\nparser.add_argument('--lr', type=float)\n"
        "parser.add_argument('--json')\n"
        "if __name__ == '__main__':\n    print(parser.parse_args().lr, parser.parse_args().json, sizes.WIDTH)\n"
    )
    run(tmp_path, script, arguments=("--lr", "0.5", "--json", "x"))
    assert capfd.readouterr().out == "0.5 x 5\n"


def test_a_module_runs_as_with_python_m(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("")
    (tmp_path / "pack" / "go.py").write_text("import sys\nprint(__name__, sys.argv[1:])\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["run", "-m", "pack.go", "a"])
    assert not ended.value.code
    assert capfd.readouterr().out == "__main__ ['a']\n"


@pytest.mark.parametrize(
    ("content", "said"), [(None, "Cannot read"), (b"x = = 1\n", "not a Python script"), (b"\x00\x01\xff", "not a Python script")]
)
def test_what_is_not_a_script_is_refused_in_one_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], content: bytes | None, said: str
) -> None:
    path = tmp_path / "train.py"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        main(["run", str(path)])
    assert ended.value.code == 2
    message = capfd.readouterr().err
    assert said in message
    assert len(message.splitlines()) == 1


def test_max_steps_and_checkup_stop_the_script_and_say_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, report = run(tmp_path, CLASSIFIER + "print('end')\n", "--max-steps", "4")
    assert (code, report["script"]["steps"]) == (0, 4)
    long = changed(CLASSIFIER, ("in range(0, 80, 8)", "in 50 * list(range(0, 80, 8))"))
    code, report = run(tmp_path, long + "print('end')\n", command="checkup")
    assert code == 0
    assert 12 <= report["script"]["steps"] <= 60
    captured = capfd.readouterr()
    assert "end" not in captured.out
    assert "stopped after its first" in captured.err


@pytest.mark.parametrize("ending", ["os._exit(7)", "os.kill(os.getpid(), 15)"])
def test_a_process_that_ends_under_our_feet_leaves_a_report(tmp_path: Path, ending: str) -> None:
    path, report = tmp_path / "train.py", tmp_path / "report.json"
    path.write_text("import os\n" + REGRESSION + ending + "\n")
    command = [sys.executable, "-m", "torchclinic", "run", "--json", str(report), str(path)]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == (7 if "exit" in ending else -15)
    assert json.loads(report.read_text())["script"]["steps"] == 10
    assert "rules found nothing wrong" in done.stderr


def test_children_are_named_as_not_observed(tmp_path: Path) -> None:
    script = CLASSIFIER + "import subprocess\nsubprocess.run(['true'])\n"
    _, report = run(tmp_path, script)
    assert any("child process" in item["reason"] for item in report["not_checked"])


def test_a_compiled_model_is_named_as_not_observed(tmp_path: Path) -> None:
    script = changed(CLASSIFIER, ("optimizer = ", "model = torch.compile(model, backend='eager')\noptimizer = "))
    code, report = run(tmp_path, script)
    assert code == 0
    assert report["findings"] == []
    assert any("torch.compile" in item["reason"] for item in report["not_checked"])


def test_the_page_holds_the_verdict_the_curve_and_the_modules(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    run(tmp_path, SICK, "--html", str(page))
    html = page.read_text()
    assert "LOS001" in html
    assert "<svg" in html
    assert "Linear" in html
    assert len(html) < 500_000


def test_a_killed_script_leaves_a_last_word_and_what_was_found(tmp_path: Path) -> None:
    ending = "import os, signal, time\ntime.sleep(2.5)\nKEEP = True\n"
    more = SICK.split("for start")[1]
    script = f"{SICK}{ending}for start{more}    time.sleep(0.2)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    path, report = tmp_path / "train.py", tmp_path / "report.json"
    path.write_text(script)
    command = [sys.executable, "-m", "torchclinic", "run", "--json", str(report), str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)  # reads until both are gone
    assert ended.returncode == -9
    assert "ended without a word" in ended.stderr
    assert "after step" in ended.stderr
    assert "LOS001" in ended.stderr
    written = json.loads(report.read_text())
    assert {finding["code"] for finding in written["findings"]} == {"LOS001"}
    assert written["script"]["exit_code"] is None


def test_a_script_that_ends_well_leaves_no_second_process_and_no_last_word(tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_text(CLASSIFIER)
    command = [sys.executable, "-m", "torchclinic", "run", str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0
    assert "without a word" not in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run", "--budgt", "0.1", "train.py"], "torchclinic run: No such option '--budgt'."),
        (["checkup", "--budget", "0.1", "train.py"], "torchclinic checkup: No such option '--budget'."),
        (["run", "--budget", "3", "train.py"], "torchclinic run: Invalid value for '--budget': 3.0"),
        (["run"], "torchclinic run: Missing argument"),
        (["exercise", "nosuch"], "torchclinic exercise: No such command 'nosuch'."),
        (["nosuch"], "torchclinic: No such command 'nosuch'."),
        (["train", "--backbone", "vgg"], "torchclinic: There is no backbone vgg: give one of resnet20,"),
    ],
)
def test_wrong_use_is_one_sentence(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    error = capsys.readouterr().err
    assert ended.value.code == 2
    assert error.startswith(sentence)
    assert error.count("\n") == 1


def test_options_after_the_script_are_the_scripts_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _ = run(tmp_path, "import sys\nprint(sys.argv[1:])\n", arguments=("--lr", "3", "-x"))
    assert (code, capsys.readouterr().out) == (0, "['--lr', '3', '-x']\n")


def test_a_group_without_a_command_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["exercise"])
    assert capsys.readouterr().err.startswith("Usage: torchclinic exercise")
