"""`torchclinic run --prove`: the script is run again with and without the remedies, and the report says what helped."""

import json
from pathlib import Path

import pytest

from torchclinic.cli.main import main
from torchclinic.replay.change import changes
from torchclinic.replay.planning import Attempt
from torchclinic.replay.scripts import Surroundings, prove_script
from torchclinic.running.launcher import Target

SOFTMAX = """
import os, sys, torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(640, 10)
y = (x @ torch.randn(10, 4)).argmax(1)
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4), nn.Softmax(1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(2):
    for pick in torch.randperm(640).split(32):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[pick]), y[pick])
        loss.backward()
        optimizer.step()
"""
UNCLEARED = SOFTMAX.replace(", nn.Softmax(1)", "").replace("        optimizer.zero_grad()\n", "").replace("lr=0.1", "lr=0.5")
LOADED = SOFTMAX.replace(
    "    for pick in torch.randperm(640).split(32):\n",
    "    data = torch.utils.data.TensorDataset(torch.arange(640))\n"
    "    for (pick,) in torch.utils.data.DataLoader(data, batch_size=32, shuffle=True, num_workers=1):\n",
)
GUARDED = """
import sys
from pathlib import Path

def main():
    print("noise on stdout")
    print("noise on stderr", file=sys.stderr)
    assert sys.argv[1:] == ["--flag", "7"], sys.argv
    Path("seen.txt").read_text()
    Path("out.txt").write_text("here")
    exec(Path("body.py").read_text(), {"__name__": "body"})

if __name__ == "__main__":
    main()
"""


def prove(folder: Path, script: str, *options: str, arguments: tuple[str, ...] = ()) -> tuple[int, dict]:
    path = folder / "train.py"
    path.write_text(script)
    report = folder / "report.json"
    with pytest.raises(SystemExit) as ended:
        main(["run", "--prove", "--prove-seconds", "60", "--json", str(report), *options, str(path), *arguments])
    return int(ended.value.code or 0), json.loads(report.read_text()) if report.exists() else {}


def attempt(name: str, code: str = "") -> Attempt:
    return Attempt(code, changes()[name])


def test_a_missing_zero_grad_is_proved_and_the_report_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "report.html"
    code, report = prove(tmp_path, UNCLEARED, "--html", str(page))
    proof = report["proofs"][0]
    assert code == 1
    assert (proof["code"], proof["change"], proof["verdict"]) == ("WIR001", "clear-gradients", "confirmed")
    assert len(proof["before"]) == len(proof["after"]) == len(proof["seeds"]) >= 3
    assert proof["low"] > 0
    assert proof["low"] <= proof["effect"] <= proof["high"]
    assert report["replay"]["replays"] == (1 + len(report["proofs"])) * len(proof["seeds"])
    said = capfd.readouterr().err
    assert "is run again up to" in said
    assert "not seen to write files" in said
    assert "Confirmed." in said
    html = page.read_text()
    assert "Proof by replay" in html
    assert "clear-gradients" in html


def test_shams_and_changes_without_effect_are_not_confirmed_and_are_listed(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SOFTMAX)
    around = Surroundings.now(Target(str(tmp_path / "train.py")))
    names = ["logits", "sham-identity", "sham-same-rate", "sham-clear-twice", "sham-other-numbers"]
    found = prove_script(around, [attempt(name) for name in names], seconds=90)
    verdicts = {proof.change: proof.verdict for proof in found.proofs}
    assert verdicts.pop("logits") == "confirmed"
    assert set(verdicts.values()) == {"not confirmed"}
    from torchclinic.replay.reporting import proof_section

    text = proof_section(found).blocks[-1].text
    assert "Did not help. `sham-identity`" in text


def test_of_two_independent_causes_the_one_whose_remedy_helps_comes_first(tmp_path: Path) -> None:
    two = SOFTMAX.replace("SGD(model.parameters()", "SGD(model[2].parameters()")
    _, report = prove(tmp_path, two)
    found = [(finding["code"], finding["rank"]) for finding in report["findings"] if finding["severity"] != "info"]
    confirmed = {proof["code"]: proof["effect"] for proof in report["proofs"] if proof["verdict"] == "confirmed"}
    assert {code for code, _ in found} == {"LOS001", "WIR003"}
    assert confirmed
    best = max(confirmed, key=confirmed.__getitem__)
    assert found[0] == (best, 1)


def test_arguments_relative_files_main_guard_and_output_are_as_in_the_run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path("src").resolve()))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "seen.txt").write_text("1")
    body = "import os\nwith open('log.txt', 'a') as log: log.write(os.environ.get('TORCHCLINIC_PROVING', '0'))\n" + LOADED
    (tmp_path / "body.py").write_text(body)
    _, report = prove(tmp_path, GUARDED, "--max-steps", "35", arguments=("--flag", "7"))
    assert report["replay"]["backwards"] <= 35
    assert [proof["verdict"] for proof in report["proofs"]] == ["confirmed"]
    captured = capfd.readouterr()
    assert captured.out == "noise on stdout\n"
    assert captured.err.count("noise on stderr") == 1
    assert f"seen to write {tmp_path / 'out.txt'}, {tmp_path / 'log.txt'}; each replay" in captured.err
    assert "then they are put back" in captured.err
    assert (tmp_path / "log.txt").read_text() == "0"


def test_a_script_that_continues_from_its_own_file_cannot_be_compared(tmp_path: Path) -> None:
    resume = f"import os, torch\nlast = {str(tmp_path / 'last.pt')!r}\nif os.path.exists(last): torch.load(last)\n"
    _, report = prove(tmp_path, resume + SOFTMAX + "torch.save(model.state_dict(), last)\n")
    (proof,) = report["proofs"]
    assert proof["verdict"] == "could not be tried"
    assert "last.pt, which its last run wrote" in proof["reason"]


def test_a_script_that_reads_back_what_it_saved_itself_is_compared_one_replay_at_a_time(tmp_path: Path) -> None:
    best = repr(str(tmp_path / "best.pt"))
    saved = SOFTMAX.replace("optimizer.step()", f"optimizer.step(); torch.save(model.state_dict(), {best})")
    saved = saved.replace("loss.backward()", f"torch.load({best}) if epoch else None; loss.backward()")
    _, report = prove(tmp_path, saved)
    (proof,) = report["proofs"]
    assert proof["verdict"] == "confirmed", proof["reason"]


def test_a_script_that_fails_only_when_run_again_gets_one_line_that_says_so(tmp_path: Path) -> None:
    failing = "import os\nif 'TORCHCLINIC_PROVING' in os.environ: raise OSError('only once')\n"
    code, report = prove(tmp_path, failing + SOFTMAX)
    assert code == 1
    assert report["proofs"] == []
    assert "OSError: only once" in report["replay"]["problem"]


def test_replays_keep_to_their_time_and_loader_workers_and_sleepers_end_with_them(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SOFTMAX.replace("loss.backward()", "loss.backward(); import time; time.sleep(0.05)"))
    around = Surroundings.now(Target(str(tmp_path / "train.py")))
    found = prove_script(around, [attempt("logits", "LOS001")], seconds=8)
    assert found.seconds < 8 + 25  # the start of a process that loads torch on a busy machine, and the grace at the end
    assert found.problem or found.backwards < 40
    (tmp_path / "train.py").write_text("import time\ntime.sleep(1000)\n")
    found = prove_script(around, [attempt("logits", "LOS001")], seconds=5)
    assert "never ran a backward pass: no end after" in found.problem


def test_a_script_without_training_and_one_without_findings_are_not_replayed(tmp_path: Path) -> None:
    _, report = prove(tmp_path, "print('nothing')\n")
    assert (report["proofs"], report["replay"]["replays"]) == ([], 0)
    assert "no backward pass" in report["replay"]["problem"]
    _, report = prove(tmp_path, SOFTMAX.replace(", nn.Softmax(1)", ""))
    assert (report["proofs"], report["replay"]["replays"]) == ([], 0)


@pytest.mark.parametrize(("variable", "said"), [("RANK", "torchrun"), ("TORCHCLINIC_PROVING", "inside a replay")])
def test_prove_is_refused_in_one_sentence_where_it_cannot_work(
    tmp_path: Path, variable: str, said: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "0")
    assert prove(tmp_path, "print('ran')\n") == (2, {})
    captured = capfd.readouterr()
    assert said in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    assert captured.out == ""


def test_bad_input_exits_2_and_a_run_without_prove_has_no_proof(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", "--prove", str(tmp_path / "missing.py")])
    assert ended.value.code == 2
    report = tmp_path / "report.json"
    (tmp_path / "train.py").write_text(SOFTMAX)
    with pytest.raises(SystemExit):
        main(["run", "--json", str(report), str(tmp_path / "train.py")])
    assert "proofs" not in json.loads(report.read_text())
