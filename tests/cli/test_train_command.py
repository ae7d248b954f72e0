"""train, evaluate and predict as a user types them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from torchclinic.cli.main import main
from torchclinic.data import load_mnist


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return int(caught.value.code or 0)


def read(path: Path) -> dict:
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A folder with `run`, `train.json` and `train.html`."""
    folder = tmp_path_factory.mktemp("commands")
    outputs = ["--json", folder / "train.json", "--html", folder / "train.html"]
    assert run("train", "--epochs", 3, "--batch-size", 100, "--seed", 3, "--out", folder / "run", *outputs) == 0
    return folder


@pytest.fixture
def picture(tmp_path) -> Path:
    path = tmp_path / "digit.png"
    Image.fromarray(255 - np.kron(load_mnist().test_images[1].numpy(), np.ones((5, 5), np.uint8))).save(path)
    return path


def test_train_writes_its_figures(trained):
    report = read(trained / "train.json")
    assert report["schema"] == "torchclinic.report/1"
    assert report["epochs"] == len(report["history"]) == 3
    assert report["seconds"] == pytest.approx(sum(epoch["seconds"] for epoch in report["history"]))
    assert report["test_accuracy"] == report["history"][-1]["test_accuracy"] > 0.8
    reached = [epoch["number"] for epoch in report["history"] if epoch["test_accuracy"] >= 0.9]
    expected = sum(epoch["seconds"] for epoch in report["history"][: reached[0]]) if reached else None
    assert report["seconds_to"]["0.9"] == pytest.approx(expected)
    assert report["seconds_to"]["0.99"] is None
    assert report["settings"]["seed"] == 3


def test_the_page_of_a_training_shows_curves_confusion_mistakes_and_weights(trained):
    page = (trained / "train.html").read_text()
    for title in ("Loss", "Accuracy", "Confusion matrix", "The worst mistakes", "First-layer weights"):
        assert title in page
    assert len(page) < 500_000


def test_evaluate_agrees_with_the_training_that_made_the_run(trained, tmp_path):
    assert run("evaluate", trained / "run", "--json", tmp_path / "e.json", "--html", tmp_path / "e.html") == 0
    report = read(tmp_path / "e.json")
    assert report["accuracy"] == read(trained / "train.json")["test_accuracy"]
    assert np.shape(report["confusion"]) == (10, 10)
    assert np.sum(report["confusion"]) == 1000
    assert [entry["class"] for entry in report["per_class"]] == list(range(10))
    assert 0 <= report["calibration_error"] < 1
    assert "The worst mistakes" in (tmp_path / "e.html").read_text()


def test_predict_gives_class_and_probabilities_and_shows_the_picture(trained, picture, tmp_path, capsys):
    assert run("predict", trained / "run", picture, "--json", tmp_path / "p.json", "--html", tmp_path / "p.html") == 0
    (prediction,) = read(tmp_path / "p.json")["predictions"]
    assert prediction["file"] == str(picture)
    assert len(prediction["probabilities"]) == 10
    assert sum(prediction["probabilities"]) == pytest.approx(1, abs=1e-5)
    assert prediction["class"] == int(np.argmax(prediction["probabilities"])) == 1
    assert "█" in capsys.readouterr().out


def test_predict_reads_the_good_files_among_bad_ones(trained, picture, tmp_path, capsys):
    bad = tmp_path / "notes.txt"
    bad.write_text("no picture")
    code = run("predict", trained / "run", bad, picture, tmp_path / "absent.png", "--json", tmp_path / "p.json")
    assert code == 2
    report = read(tmp_path / "p.json")
    assert [prediction["file"] for prediction in report["predictions"]] == [str(picture)]
    assert [item["code"] for item in report["not_checked"]] == [str(bad), str(tmp_path / "absent.png")]
    complaints = capsys.readouterr().err.strip().split("\n")
    assert len(complaints) == 2
    assert all(line.startswith("torchclinic: ") for line in complaints)


def test_resume_trains_on_to_the_number_of_epochs_in_all(tmp_path, capsys):
    assert run("train", "--epochs", 1, "--batch-size", 500, "--out", tmp_path / "run") == 0
    capsys.readouterr()
    assert run("train", "--resume", tmp_path / "run", "--epochs", 3, "--json", tmp_path / "t.json") == 0
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()[:2]] == ["2/3", "3/3"]
    assert read(tmp_path / "t.json")["epochs"] == 3
    assert run("train", "--resume", tmp_path / "run", "--epochs", 3) == 0
    assert "epoch" not in capsys.readouterr().out.split("right")[0]


def test_early_stopping_precision_and_schedule_are_kept_in_the_run(tmp_path):
    options = ["--early-stopping", 2, "--precision", "bf16", "--schedule", "constant", "--optimizer", "sgd", "--lr", 0.5]
    assert run("train", "--model", "mlp", "--epochs", 2, "--batch-size", 400, *options, "--out", tmp_path / "run") == 0
    settings = read(tmp_path / "run" / "run.json")
    assert (settings["patience"], settings["precision"]) == (2, "bf16")
    assert (settings["recipe"]["schedule"], settings["recipe"]["learning_rate"]) == ("constant", 0.5)


BAD_INPUT = {
    "no epochs": (["train", "--epochs", 0], "epochs = 0: a run needs at least 1 epoch"),
    "learning rate nan": (["train", "--lr", "nan"], "learning rate = nan"),
    "negative batch": (["train", "--batch-size", -4], "batch size = -4"),
    "negative seed": (["train", "--seed", -1], "seed = -1"),
    "no patience": (["train", "--early-stopping", 0], "early stopping after 0 epochs"),
    "unknown model": (["train", "--model", "vgg"], "'vgg' is not one of"),
    "no data": (["train", "--data", "mnist", "--data-dir", "/dev/null"], "holds no MNIST"),
    "run exists": (["train", "--out", "{run}"], "holds a run already"),
    "out is a file": (["train", "--out", "/dev/null"], "Cannot write"),
    "resume and seed": (["train", "--resume", "{run}", "--seed", 4], "--seed was decided when"),
    "resume and rate": (["train", "--resume", "{run}", "--lr", 4], "--lr was decided when"),
    "resume and out": (["train", "--resume", "{run}", "--out", "elsewhere"], "leave out --out"),
    "resume nothing": (["train", "--resume", "absent"], "absent is no run folder"),
    "evaluate nothing": (["evaluate", "absent"], "absent is no run folder"),
    "predict with nothing": (["predict", "absent", "d.png"], "absent is no run folder"),
    "no such device": (["evaluate", "{run}", "--device", "mps"], 'The device "mps" is not there'),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_one_sentence_and_exit_code_2(trained, case, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments, sentence = BAD_INPUT[case]
    assert run(*(str(argument).replace("{run}", str(trained / "run")) for argument in arguments)) == 2
    complaint = capsys.readouterr().err
    assert sentence in complaint
    assert "Traceback" not in complaint
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_its_data_leaves_no_folder(tmp_path, capsys):
    assert run("train", "--data", "mnist", "--data-dir", tmp_path, "--out", tmp_path / "run") == 2
    assert "holds no MNIST" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
