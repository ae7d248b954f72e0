"""Whether what a classifier has learnt carries over to rows it has not seen."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from torchclinic.instruments.reference import agreement
from torchclinic.observe.collecting import collect
from torchclinic.observe.records import Agreement, CarryOver
from torchclinic.observe.session import Session
from torchclinic.rules.dat005_labels_unrelated import check, healthy, sick
from torchclinic.rules.judging import Verdict, judge
from torchclinic.rules.rule import Undecided
from torchclinic.rules.specimens import changed
from torchclinic.running.launcher import Target, launch

BINARY = (
    ("nn.Linear(128, 2)", "nn.Linear(128, 1)"),
    ("cross_entropy(model(train_x[pick]), train_y", "binary_cross_entropy_with_logits(model(train_x[pick]), train_y"),
    ("train_y[pick])", "train_y[pick][:, None].float())"),
    ("model(test_x).argmax(1) == test_y", "(model(test_x)[:, 0] > 0).long() == test_y"),
)
EVAL = ("with torch.no_grad():", "with torch.no_grad():\n            model.eval()")
NORMED = ("nn.ReLU()", "nn.BatchNorm1d(128), nn.ReLU()")
SPOILT = ("    if epoch % 8", "    model[1].running_mean.fill_(1e4)\n    if epoch % 8")
NOISE = """noisy = torch.rand(900) < 0.5
y[noisy] = torch.randint(0, 2, (int(noisy.sum()),))
train_x, train_y, test_x"""
WHOLE = "accuracy = (model(test_x).argmax(1) == test_y).float().mean()"
PARTS = """for xb, yb in zip(test_x.split(250), test_y.split(250)):
                right = (model(xb).argmax(1) == yb).sum()"""
SICK = {
    "batch_norm": changed(sick().script, NORMED, EVAL),
    "momentum": changed(sick().script, ("Adam(model.parameters(), lr=5e-3)", "SGD(model.parameters(), 0.3, momentum=0.9)")),
    "learnt_slowly": changed(
        sick().script,
        ("(x[:, :3].sum(1) > 0).long()", "4 * (x[:, 0] > 0) + 2 * (x[:, 1] > 0) + (x[:, 2] > 0)"),
        ("128, 2", "128, 8"),
        ("900", "2600"),
        ("[:200], y[:200], x[200:], y[200:]", "[:1500], y[:1500], x[1500:], y[1500:]"),
        ("randperm(200)", "randperm(1500)"),
        ("lr=5e-3", "lr=5e-4"),
        ("range(24)", "range(12)"),
        ("epoch % 8 == 7", "epoch % 3 == 2"),
    ),
    "in_batches": changed(sick().script, (WHOLE, PARTS)),
}
HEALTHY = {
    "overfitted": changed(healthy().script, ("200", "100")),
    "half_of_the_labels_random": changed(healthy().script, ("train_x, train_y, test_x", NOISE)),
    "nothing_learnt": changed(sick().script, ("lr=5e-3", "lr=1e-5")),
    "few_rows": changed(sick().script, ("x[200:], y[200:]", "x[200:240], y[200:240]")),
    "statistics_spoilt_in_eval": changed(healthy().script, NORMED, SPOILT, EVAL),
}
UNDECIDED = {
    "codes": changed(sick().script, ("torch.randn(900, 30)", "torch.randint(0, 2, (900, 30)).float() - 0.5")),
    "scaled_at_test": changed(sick().script, ("model(test_x)", "model(100 * test_x.abs())")),
}


def verdict(path: Path, script: str) -> Verdict:
    path.write_text(script)
    session = Session()
    outcome = launch(Target(str(path)), session, lambda outcome: None)
    assert outcome.exit_code == 0
    return judge(collect(session), select=["DAT005"])


@pytest.mark.parametrize("name", SICK)
def test_labels_paired_at_random_are_found(name: str, tmp_path: Path) -> None:
    assert [finding.code for finding in verdict(tmp_path / "train.py", SICK[name]).findings] == ["DAT005"]


def test_labels_paired_at_random_are_found_with_two_classes_and_one_output(tmp_path: Path) -> None:
    assert verdict(tmp_path / "train.py", changed(sick().script, *BINARY)).findings
    assert not verdict(tmp_path / "twin.py", changed(healthy().script, *BINARY)).findings


@pytest.mark.parametrize("name", HEALTHY)
def test_overfitting_noise_and_broken_evaluation_are_no_sign_of_it(name: str, tmp_path: Path) -> None:
    assert verdict(tmp_path / "train.py", HEALTHY[name]).findings == ()


@pytest.mark.parametrize("name", UNDECIDED)
def test_inputs_that_explain_the_gap_leave_it_undecided(name: str, tmp_path: Path) -> None:
    found = verdict(tmp_path / "train.py", UNDECIDED[name])
    assert found.findings == ()
    assert [other.code for other in found.not_checked] == ["DAT005"]


def test_the_expected_hits_are_the_mean_over_random_pairings() -> None:
    generator = torch.Generator().manual_seed(0)
    guess, labels = torch.randint(0, 3, (40,), generator=generator), torch.randint(0, 4, (40,), generator=generator)
    rows, hits, expected = (float(value) for value in agreement(guess, labels))
    pairings = [(guess == labels[torch.randperm(40, generator=generator)]).sum() for _ in range(4000)]
    assert (rows, hits) == (40, float((guess == labels).sum()))
    mean, spread = torch.stack(pairings).double().mean(), torch.stack(pairings).double().std() / math.sqrt(4000)
    assert abs(expected - float(mean)) < 4 * float(spread)


def test_the_standard_error_is_that_of_many_samples_of_the_same_agreement() -> None:
    generator = torch.Generator().manual_seed(0)
    kappas = []
    for _ in range(2000):
        labels = torch.randint(0, 5, (200,), generator=generator)
        guess = torch.where(torch.rand(200, generator=generator) < 0.3, labels, torch.randint(0, 5, (200,), generator=generator))
        found = Agreement(*(float(value) for value in agreement(guess, labels)))
        kappas.append(found.kappa)
    measured = torch.tensor(kappas).std()
    assert_close(torch.tensor(found.error(0.3)), measured, atol=0, rtol=0.1)  # 2,000 samples give the spread to 1.6 %


def record(seen: float, unseen: float, rows: int) -> CarryOver:
    half = rows / 2
    found = CarryOver("Net", "", 50, Agreement(200, 100 + 100 * seen, 100), Agreement(rows, half + half * unseen, half))
    found.best = found.unseen.kappa / found.unseen.error(0.0)
    return found


@pytest.mark.parametrize(("seen", "unseen", "rows"), [(1.0, 0.2, 4000), (1.0, 0.1, 400), (0.3, 0.0, 400), (1.0, 0.0, 100)])
def test_weak_relations_and_few_rows_are_not_enough(seen: float, unseen: float, rows: int) -> None:
    assert not list(check(record(seen, unseen, rows)))


def test_answers_far_below_chance_are_undecided() -> None:
    with pytest.raises(Undecided, match="below chance"):
        list(check(record(1.0, -0.5, 1000)))
    assert list(check(record(1.0, 0.0, 1000)))


def test_a_model_above_chance_on_its_first_batches_or_in_any_evaluation_is_no_such_case() -> None:
    early, later = record(1.0, 0.0, 1000), record(1.0, 0.0, 1000)
    early.early = Agreement(500, 300, 250)
    later.best = 4.0
    assert not list(check(early))
    assert not list(check(later))


def test_a_loss_below_the_entropy_of_the_labels_tells_where_few_seen_rows_do_not() -> None:
    slow = CarryOver("Net", "", 400, Agreement(60, 8, 6), Agreement(2000, 196, 200), best=1.0, evaluations=4, left=0.95)
    assert list(check(slow))
    for change in ({"left": 0.99}, {"left": math.nan}, {"evaluations": 2}, {"best": 4.0}, {"unseen": Agreement(200, 19, 20)}):
        assert not list(check(replace(slow, **change)))
