"""The parts of a proof by replay: what each change does, what is measured, and when a change is confirmed."""

import copy
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import nn

import torchclinic as tc
from torchclinic.errors import InputError
from torchclinic.observe.taps.patches import Patches
from torchclinic.replay import writes
from torchclinic.replay.bench import Bench, Enough
from torchclinic.replay.change import Change, candidates, changes, make, remedies
from torchclinic.replay.planning import Attempt, choose_attempts, make_plan
from torchclinic.replay.reseeding import reseed
from torchclinic.replay.scores import Series, score_call, score_values
from torchclinic.replay.trial import Trial
from torchclinic.replay.verdicts import CONFIDENCE, QUANTILES, decide, interval, weigh
from torchclinic.replay.writes import kept_files, put_back, recorded_writes
from torchclinic.report.model import Finding

F = nn.functional
REMEDIED = [
    "WIR001",
    "WIR002",
    "WIR003",
    "WIR005",
    "WIR010",
    "LOS001",
    "LOS002",
    "LOS003",
    "INI001",
    "INI002",
    "INI003",
    "INI004",
    "INI005",
    "INI006",
    "OPT001",
    "OPT002",
    "MOD001",
    "MOD002",
    "MOD006",
    "DAT001",
    "GRA002",
    "SHP001",
]


def problem(rows: int = 640) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(rows, 10, generator=generator)
    y = (x @ torch.randn(10, 4, generator=generator)).argmax(1)
    return list(zip(x.split(32), y.split(32), strict=True))


def network(*last: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4), *last)


# -- changes ------------------------------------------------------------------------------------------------------------


def test_every_remedy_that_is_promised_exists_and_shams_repair_nothing():
    assert all(remedies(code) for code in REMEDIED)
    shams = [kind for kind in changes().values() if kind.sham]
    assert len(shams) >= 3
    assert all(not kind.codes and not kind.candidate_for for kind in shams)
    assert {kind.name for kind in candidates("")} == {"rate-tenth", "rate-tenfold"}
    assert all(kind.what and not kind.what.endswith(".") for kind in changes().values())


def gradients_at_step(change: Change, clear: str, batches: int = 3) -> list[torch.Tensor]:
    """The gradient each step sees where gradients are cleared at the place `clear`; SGD with rate 0 keeps the weights."""
    model = nn.Linear(10, 4)
    with torch.no_grad():
        model.weight.fill_(0.1)
        model.bias.zero_()
    seen: list[torch.Tensor] = []
    with Bench(change):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
        optimizer.register_step_pre_hook(lambda *_: seen.append(_copy(model.weight.grad)))
        for x, y in problem()[:batches]:
            F.cross_entropy(model(x), y).backward()
            if clear == "before step":
                optimizer.zero_grad()
            if clear == "by hand":
                model.weight.grad = model.bias.grad = None
            optimizer.step()
            if clear == "right":
                optimizer.zero_grad()
    return seen


def _copy(tensor: torch.Tensor | None) -> torch.Tensor:
    return torch.zeros(4, 10) if tensor is None else tensor.clone()


@pytest.mark.parametrize("clear", ["never", "before step", "by hand", "right"])
def test_with_clear_gradients_every_step_sees_what_a_right_loop_gives_it(clear):
    wanted = gradients_at_step(Change(), "right")
    assert clear == "right" or not _equal(gradients_at_step(Change(), clear), wanted)
    assert _equal(gradients_at_step(make("clear-gradients"), clear), wanted)


def _equal(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_with_clear_gradients_cleared_micro_batches_add_up():
    model, (first, second) = network(), problem()[:2]
    wanted = copy.deepcopy(model)
    for x, y in (first, second):
        F.cross_entropy(wanted(x), y).backward()
    seen = []
    with Bench(make("clear-gradients")):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
        optimizer.register_step_pre_hook(lambda *_: seen.append(_copy(model[0].weight.grad)))
        for x, y in (first, second):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
        optimizer.step()
    torch.testing.assert_close(seen[0], wanted[0].weight.grad)


@pytest.mark.parametrize(
    "last", [nn.Softmax(1), nn.Sigmoid(), nn.Tanh(), nn.ReLU(), nn.Sequential(nn.Softmax(1), nn.Unflatten(0, (-1,)))]
)
def test_with_logits_the_loss_is_that_of_the_model_without_its_last_activation(last):
    if isinstance(last, nn.Sequential):
        last = last[0]
    x, y = problem()[0]
    with Bench(make("logits")):
        loss = nn.CrossEntropyLoss()(network(last)(x), y)
    assert torch.equal(loss, F.cross_entropy(network()(x), y))
    assert not torch.equal(loss, F.cross_entropy(network(last)(x), y))


def test_with_logits_probabilities_made_by_hand_give_the_loss_that_was_meant():
    x, y = problem()[0]
    scores = network()(x)
    with Bench(make("logits")) as bench:
        weights = scores.exp()
        loss = F.cross_entropy(weights / weights.sum(1, keepdim=True), y)
    torch.testing.assert_close(loss, F.cross_entropy(scores, y))
    assert bench.change.acted == 1


def test_with_logits_values_that_are_logits_stay():
    x, y = problem()[0]
    with Bench(make("logits")) as bench:
        loss = F.cross_entropy(network()(x), y)
    assert bench.change.acted == 0
    assert torch.equal(loss, F.cross_entropy(network()(x), y))


def test_with_reshape_target_losses_compare_pairs_also_when_written_by_hand():
    prediction, target = torch.randn(8, 1, requires_grad=True), torch.randn(8)
    wanted = (prediction.flatten() - target).square().mean()
    with Bench(make("reshape-target")):
        losses = [
            F.mse_loss(prediction, target),
            ((prediction - target) ** 2).mean(),
            ((target - prediction) ** 2).mean(),
            F.mse_loss(input=prediction, target=target),
        ]
    for loss in losses:
        torch.testing.assert_close(loss, wanted)


def test_parameters_without_an_optimizer_are_handed_over_and_move():
    model = network()
    before = model[2].weight.detach().clone()
    with Bench(make("hand-over-parameters")) as bench:
        optimizer = torch.optim.SGD(model[0].parameters(), lr=0.1)
        for x, y in problem()[:4]:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    assert bench.change.acted == 2
    assert not torch.equal(model[2].weight, before)


@pytest.mark.parametrize(("name", "factor"), [("rate-tenth", 0.1), ("rate-tenfold", 10), ("sham-same-rate", 1)])
def test_rates_are_scaled_for_the_step_alone(name, factor):
    parameter = torch.zeros(1, requires_grad=True)
    with Bench(make(name)):
        optimizer = torch.optim.SGD([parameter], lr=0.5)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
        moves = []
        for _ in range(3):
            before = float(parameter.detach())
            parameter.grad = -torch.ones(1)
            optimizer.step()
            moves.append(float(parameter.detach()) - before)
            scheduler.step()
    assert moves == pytest.approx([0.5 * factor, 0.25 * factor, 0.125 * factor], rel=1e-4)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.0625)


def test_clipping_bounds_the_norm_that_a_step_sees():
    parameter = torch.zeros(4, requires_grad=True)
    with Bench(make("clip")) as bench:
        optimizer = torch.optim.SGD([parameter], lr=1.0)
        parameter.grad = torch.full((4,), 100.0)
        optimizer.step()
    assert float(parameter.detach().norm()) == pytest.approx(1.0, rel=1e-4)
    assert bench.change.acted == 1


def test_modes_hold_during_the_call_and_are_put_back():
    seen = []
    model = nn.Sequential(nn.Linear(10, 4), nn.BatchNorm1d(4), nn.Dropout())
    model[1].register_forward_hook(lambda module, *_: seen.append(module.training))
    x, _ = problem()[0]
    model.eval()
    with Bench(make("train-mode")):
        model(x)
        with torch.no_grad():
            model(x)
    assert seen == [True, False]
    assert not model.training
    model.train()
    with Bench(make("eval-mode")), torch.no_grad():
        model(x)
    model[1].requires_grad_(False)
    with Bench(make("hold-frozen-norms")):
        model(x)
    assert seen == [True, False, False, False]
    assert all(module.training for module in model.modules())


def test_train_mode_leaves_a_frozen_backbone_in_eval():
    backbone = nn.Sequential(nn.Linear(10, 4), nn.BatchNorm1d(4)).eval().requires_grad_(False)
    model = nn.Sequential(backbone, nn.Linear(4, 4))
    before = backbone[1].running_mean.clone()
    with Bench(make("train-mode")):
        model(problem()[0][0])
    assert torch.equal(backbone[1].running_mean, before)


def test_standardized_inputs_have_mean_0_and_deviation_1_per_column():
    x = torch.randn(256, 3) * torch.tensor([1e3, 1.0, 1e-2]) + torch.tensor([5e4, 0.0, 7.0])
    seen = []
    model = nn.Linear(3, 1)
    model.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    with Bench(make("standardize-inputs")):
        model(x)
    torch.testing.assert_close(seen[0].mean(0), torch.zeros(3), atol=2e-2, rtol=0)
    torch.testing.assert_close(seen[0].std(0), torch.ones(3), atol=2e-2, rtol=0)


def test_initialization_reaches_models_embeddings_and_plain_tensors_and_draws_no_number_of_the_script():
    model = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 2))
    for parameter in model.parameters():
        nn.init.ones_(parameter)
    plain = torch.zeros(2, 3, requires_grad=True)
    stream = torch.get_rng_state()
    with Bench(make("initialize")) as bench:
        _ = model(torch.tensor([0, 1])) @ plain
    assert torch.equal(torch.get_rng_state(), stream)
    assert bench.change.acted >= 3
    assert len(model[0].weight.unique()) > 5
    assert len(model[1].weight.unique()) > 5
    assert bool(plain.any())


# -- the bench ----------------------------------------------------------------------------------------------------------


def train(bench: Bench, model: nn.Module, steps: int = 12) -> list[float]:
    losses = []
    with bench:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in problem()[:steps]:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


def test_the_bench_alone_changes_no_bit_and_leaves_nothing_behind():
    call, backward, step = nn.Module.__call__, torch.autograd.backward, torch.optim.Optimizer.zero_grad
    watched, plain = network(), network()
    bench = Bench(Change())
    losses = train(bench, watched)
    optimizer = torch.optim.SGD(plain.parameters(), lr=0.1)
    for x, y in problem()[:12]:
        optimizer.zero_grad()
        F.cross_entropy(plain(x), y).backward()
        optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(watched.parameters(), plain.parameters(), strict=True))
    assert (nn.Module.__call__, torch.autograd.backward, torch.optim.Optimizer.zero_grad) == (call, backward, step)
    assert bench.trial.losses == losses
    assert (bench.trial.steps, bench.trial.backwards) == (12, 12)


def test_the_bench_stops_after_the_wanted_backward_passes():
    bench = Bench(Change(), most_backwards=5)
    with pytest.raises(Enough):
        train(bench, network())
    assert (bench.trial.backwards, bench.trial.steps, bench.trial.ending) == (5, 5, "stopped")


def brier_skill(chances: torch.Tensor, y: torch.Tensor) -> float:
    chances, truth = chances.detach(), F.one_hot(y, chances.shape[1])
    guess = torch.full_like(chances, 1 / chances.shape[1])
    return 1 - float((chances - truth).square().sum() / (guess - truth).square().sum())


@pytest.mark.parametrize("last", [(), (nn.Softmax(1),), (nn.LogSoftmax(1),), (nn.Tanh(),)])
def test_the_score_of_a_step_is_the_brier_skill_of_what_the_outputs_mean(last):
    model, (x, y) = network(*last), problem()[0]
    output = model(x)
    chances = output if last and isinstance(last[0], nn.Softmax) else output.softmax(1)
    bench = Bench(Change())
    train(bench, model, steps=1)
    assert bench.trial.scores.values(1) == [pytest.approx(brier_skill(chances, y), abs=1e-6)]


def test_scores_of_losses_that_mean_the_same_are_the_same():
    scores, y = torch.randn(16, 5), torch.randint(5, (16,))
    values = {
        score_call("class", scores, y).error,
        score_call("class", scores.softmax(1), y, probabilities=True).error,
        score_call("class", scores.softmax(1), y).error,
        score_call("class", scores.log_softmax(1), y, logarithms=True).error,
        score_call("class", scores, F.one_hot(y, 5).float()).error,
        score_call("class", scores.T[None], y[None]).error,
        score_call("class", torch.cat([scores, scores]), torch.cat([y, torch.full((16,), -100)])).error,
    }
    assert max(values) == pytest.approx(min(values), rel=1e-5)
    assert score_call("class", torch.zeros(16, 5), y).to_list()[:2] == pytest.approx([16, 16])  # guessing: a score of 0


def test_evaluations_are_read_from_losses_and_comparisons_without_gradients():
    model, (x, y) = network(), problem()[0]
    with Bench(Change()) as bench, torch.no_grad():
        _ = (model(x).argmax(1) == y).sum()
    assert bench.trial.evaluation == pytest.approx(float((model(x).argmax(1) == y).float().mean()))
    with Bench(Change()) as bench, torch.no_grad():
        F.cross_entropy(model(x), y)
    assert bench.trial.evaluation == pytest.approx(brier_skill(model(x).softmax(1), y), abs=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=2, max_size=20))
def test_the_score_of_numbers_is_r_squared(pairs):
    prediction, target = (torch.tensor(side, dtype=torch.double) for side in zip(*pairs, strict=True))
    variance = float(target.var(correction=0))
    score = score_call("regression", prediction[:, None], target, probabilities=False)
    assert score is not None
    values = score_values("regression", [score.to_list()])
    if variance < 1e-9:
        return
    assert values[0] == pytest.approx(max(-1.0, 1 - float((prediction - target).square().mean()) / variance), abs=1e-6)


def test_binary_scores_are_those_of_two_classes_from_probabilities_and_from_logits():
    logits, target = torch.tensor([-2.0, 0.3, 2.0]), torch.tensor([0.0, 1.0, 1.0])
    both = torch.stack([1 - logits.sigmoid(), logits.sigmoid()], 1)
    wanted = brier_skill(both, target.long())
    for values, probabilities in ((logits, False), (logits.sigmoid(), True)):
        score = score_call("binary", values[:, None], target[:, None], probabilities=probabilities)
        assert score_values("binary", [score.to_list()]) == [pytest.approx(wanted, abs=1e-6)]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_outputs_that_are_not_finite_are_wrong(bad):
    score = score_call("class", torch.full((4, 3), bad), torch.zeros(4, dtype=torch.long), probabilities=False)
    assert score is not None
    assert score_values("class", [score.to_list()]) == [-1.0]
    assert score_values("regression", [[bad, 4, 0.0, 4.0]]) == [-1.0]


# -- seeds and files ----------------------------------------------------------------------------------------------------


def draws() -> list[float]:
    torch.manual_seed(3)
    random.seed(3)
    np.random.seed(3)
    generator = torch.Generator()
    generator.manual_seed(3)
    own = torch.rand(1, generator=generator)
    return [float(torch.rand(1)), random.random(), np.random.rand(), np.random.default_rng(3).random(), float(own)]


def test_a_shift_changes_every_seeded_stream_and_shift_0_none():
    plain = draws()
    shifted = []
    for shift in (0, 1, 1, 2):
        patches = Patches()
        reseed(shift, patches)
        shifted.append(draws())
        patches.undo()
    patches = Patches()
    reseed(1, patches)
    assert isinstance(torch.default_generator, torch.Generator)
    patches.undo()
    assert shifted[0] == plain == draws()
    assert shifted[1] == shifted[2]
    assert all(a != b != c != a for a, b, c in zip(plain, shifted[1], shifted[3], strict=True))


def test_written_files_are_recorded_and_only_inside_the_block(tmp_path: Path):
    (tmp_path / "input").write_text("1")
    with recorded_writes() as written:
        (tmp_path / "a").write_text("1")
        torch.save({}, tmp_path / "b.pt")
        np.save(tmp_path / "c.npy", np.zeros(1))
        (tmp_path / "gone").write_text("1")
        (tmp_path / "gone").unlink()
        (tmp_path / "input").read_text()
    (tmp_path / "later").write_text("1")
    assert [Path(path).name for path in kept_files(written)] == ["a", "b.pt", "c.npy"]


def test_files_are_put_back_with_their_times_and_large_ones_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_text("mine")
    large.write_text("x" * 100)
    times = small.stat().st_mtime_ns
    monkeypatch.setattr(writes, "MOST_COPIED", 50)
    with put_back([str(small), str(large)]) as unsaved:
        small.write_text("theirs")
        large.unlink()
    assert (small.read_text(), small.stat().st_mtime_ns) == ("mine", times)
    assert unsaved == [str(large)]
    assert not large.exists()


# -- verdicts -----------------------------------------------------------------------------------------------------------


def test_the_quantiles_are_those_of_students_t():
    for freedom, quantile in QUANTILES.items():
        assert quantile == pytest.approx(stats.t.ppf((1 + CONFIDENCE) / 2, freedom), abs=1e-3)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=3, max_size=10).filter(lambda values: np.std(values) > 1e-6))
def test_the_interval_is_scipys(differences):
    mean, low, high = interval(differences)
    n = len(differences)
    assert (low, high) == pytest.approx(stats.t.interval(CONFIDENCE, n - 1, mean, stats.sem(differences)), abs=1e-3)


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        ([0.9, 0.91, 0.92, 0.9, 0.9], "confirmed"),
        ([0.1, 0.11, 0.12, 0.1, 0.1], "made it worse"),
        ([0.9, 0.9, 0.49, 0.9, 0.9], "not confirmed"),  # one seed on the other side
        ([0.51, 0.51, 0.51, 0.51, 0.51], "not confirmed"),  # too small to matter
        ([0.55, 0.99, 0.52, 0.51, 0.52], "not confirmed"),  # spread
        ([0.5, 0.5, 0.5, 0.5, 0.5], "not confirmed"),
        ([0.9, 0.9], "could not be tried"),  # seeds
    ],
)
def test_confirmed_needs_size_sign_and_spread(after, verdict):
    assert decide([0.5] * len(after), after)[0] == verdict


def test_pure_noise_is_hardly_ever_confirmed():
    generator = np.random.default_rng(0)
    trials = [(generator.normal(0.5, 0.1, 5), generator.normal(0.5, 0.1, 5)) for _ in range(2000)]
    share = sum(decide(list(a), list(b))[0] == "confirmed" for a, b in trials) / len(trials)
    assert share <= 0.005 + 3 * (0.005 * 0.995 / 2000) ** 0.5  # one side of a 99 % interval, three standard errors


def trial(values: list[float], **changed) -> Trial:
    scores = Series("class", [[(1 - value) * 100, 100, 0.0, 0.0] for value in values], mixed=True)
    return Trial(losses=[1.0] * len(values), scores=scores, backwards=len(values), acted=1, **changed)


@pytest.mark.parametrize(
    ("changes_of_after", "reason"),
    [
        ({"ending": "raised", "note": "ValueError: no", "backwards": 2}, "ValueError: no"),
        ({"acted": 0}, "found nothing to act on"),
        ({"stale_reads": ["last.pt"]}, "last.pt"),
        ({"scores": Series("class", [[1, 2, 0, 0]] * 30, mixed=False)}, "opposed networks"),
    ],
)
def test_what_could_not_be_tried_says_why(changes_of_after, reason):
    before = {seed: trial([0.5] * 30) for seed in range(5)}
    after = {seed: trial([0.9] * 30) for seed in range(5)}
    assert weigh("WIR001", changes()["clip"], before, after).verdict == "confirmed"
    for broken in after.values():
        for name, value in changes_of_after.items():
            setattr(broken, name, value)
    if "scores" in changes_of_after:
        for broken in before.values():
            broken.scores.mixed = False
    proof = weigh("WIR001", changes()["clip"], before, after)
    assert proof.verdict == "could not be tried"
    assert reason in proof.reason


# -- plans --------------------------------------------------------------------------------------------------------------


def finding(code: str, severity: str = "error") -> Finding:
    return Finding(code, code.lower(), severity, "it is so")


def test_remedies_come_in_the_order_of_the_findings_and_candidates_only_without_any():
    attempts, left_out = choose_attempts([finding("LOS001"), finding("WIR001"), finding("WIR010"), finding("ACT001")])
    assert [(a.code, a.change.name) for a in attempts] == [("LOS001", "logits"), ("WIR001", "clear-gradients")]
    assert not left_out
    assert [a.change.name for a in choose_attempts([finding("ACT001")])[0]] == ["rate-tenth"]
    assert {a.change.name for a in choose_attempts([finding("SHP004")])[0]} == {"rate-tenth", "rate-tenfold"}
    assert choose_attempts([finding("LOS001", "info")]) == ([], [])


@settings(max_examples=200, deadline=None)
@given(st.floats(0.1, 30), st.floats(0.0001, 1), st.integers(1, 2000), st.integers(1, 4), st.floats(5, 100), st.integers(1, 2))
def test_a_plan_fits_its_time_or_is_refused(setup, each, backwards, count, seconds, width):
    first = Trial(backwards=backwards, first_seconds=setup, seconds=setup + each * backwards)
    plan = make_plan([Attempt("X", Change)] * count, first, seconds, width)
    if isinstance(plan, str):
        assert plan.endswith(".")
        return
    length = setup + each * min(plan.backwards or backwards, backwards)
    runs = plan.seeds * (len(plan.attempts) + 1) - 1
    assert -(-runs // width) * length <= seconds * 1.001
    assert plan.seeds >= 3
    assert len(plan.attempts) + len(plan.left_out) == count


# -- tc.prove -----------------------------------------------------------------------------------------------------------


def test_prove_confirms_a_remedy_and_no_sham_and_leaves_no_trace():
    model = network(nn.Softmax(1), nn.Dropout(0.1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    weights, stream = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    codes = ["LOS001", "sham-same-rate", "sham-other-numbers", "sham-identity"]
    report = tc.prove(model[:3], problem(), F.cross_entropy, optimizer, codes, steps=40, seeds=4)
    verdicts = {proof["change"]: proof["verdict"] for proof in report.data["proofs"]}
    assert verdicts.pop("logits") == "could not be tried"  # without its softmax the model has nothing to repair
    report = tc.prove(model[:4], problem(), F.cross_entropy, optimizer, codes, steps=40, seeds=4)
    verdicts = {proof["change"]: proof["verdict"] for proof in report.data["proofs"]}
    assert verdicts.pop("logits") == "confirmed"
    assert set(verdicts.values()) == {"not confirmed"}
    assert all(torch.equal(value, weights[key]) for key, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), stream)
    assert not optimizer.state
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert all(parameter.grad is None for parameter in model.parameters())


def test_prove_asks_a_checkup_where_no_findings_are_given_and_takes_a_factory():
    model = network(nn.Softmax(1))
    report = tc.prove(model, problem(), F.cross_entropy, lambda p: torch.optim.SGD(p, lr=0.1), steps=30, seeds=3)
    assert [proof["code"] for proof in report.data["proofs"]] == [f.code for f in report.findings] == ["LOS001"]
    assert "Proof by replay" in str(report)
    assert report.to_dict()["proofs"][0]["seeds"] == [0, 1, 2]


def test_prove_lists_what_did_not_help_and_leaves_no_trace_of_a_failure():
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    report = tc.prove(model, problem(), F.cross_entropy, optimizer, ["rate-tenth"], steps=30, seeds=3)
    assert "Did not help. `rate-tenth`" in str(report)
    weights = copy.deepcopy(model.state_dict())

    def failing(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if float(output.detach().abs().max()) < 1e9 and not torch.equal(model[0].weight, weights["0.weight"]):
            raise RuntimeError("enough")
        return F.cross_entropy(output, target)

    with pytest.raises(RuntimeError, match="enough"):
        tc.prove(model, problem(), failing, optimizer, ["rate-tenth"], steps=30, seeds=3)
    assert all(torch.equal(value, weights[key]) for key, value in model.state_dict().items())
    assert not hasattr(nn.Module.__call__, "__torchclinic__")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"findings": ["nonsense"]}, "no remedy for 'nonsense'"),
        ({"batches": []}, "no batch"),
        ({"steps": 2}, "at least 20"),
        ({"seeds": 2}, "from 3 to 10"),
    ],
)
def test_prove_refuses_what_cannot_work_in_a_sentence(wrong, said):
    model = network()
    given = {"batches": problem(), "findings": ["LOS001"], **wrong}
    with pytest.raises(InputError, match=said):
        tc.prove(model, loss_fn=F.cross_entropy, optimizer=torch.optim.SGD(model.parameters(), lr=0.1), **given)


def test_the_keys_of_a_proof_are_those_that_are_documented():
    page = (Path(__file__).parents[2] / "docs" / "report-format.md").read_text(encoding="utf8")

    def documented(name: str) -> list[str]:
        part = page.split(f": `{name}`\n")[1].split("\n## ")[0]
        return [line.split("`")[1] for line in part.splitlines() if line.startswith("| `")]

    report = tc.prove(network(), problem(), F.cross_entropy, lambda p: torch.optim.SGD(p), ["clip"], steps=20, seeds=3)
    assert list(report.to_dict()["proofs"][0]) == documented("proof")
    assert list(report.to_dict()["replay"]) == documented("replay")
