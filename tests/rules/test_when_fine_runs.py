"""What the rules about evaluations, checkpoints and ranks let pass: a case for each clause of their *When this is fine*."""

from pathlib import Path

import pytest

from rules.when_fine import HEALTHY, SICK, Case, check, healed, pair, params
from torchclinic.rules.specimens import CLASSIFIER, changed

STEP = "    optimizer.step()\n"
EVALUATION = """    with torch.no_grad():
        for x, y in loader:
            accuracy = (model(x).argmax(1) == y).float().mean()
"""
EVALUATED = changed(
    SICK["DST003"] + EVALUATION,
    ("for x, y in loader:\n        optimizer", "for x, y in plain:\n        optimizer"),
    ("model = ", "plain = DataLoader(data, batch_size=8, shuffle=True)\nmodel = "),
)
INNER = changed(
    HEALTHY["DST004"],
    (
        "        optimizer.step()\n",
        """        optimizer.step()
        with torch.no_grad():
            accuracy = (model.module(x).argmax(1) == y).float().mean()
""",
    ),
)
SLOPES = (
    changed(
        SICK["EVA005"],
        (
            "accuracy = (model(torch.randn(2000, 4)).argmax(1) == 0).float().mean()",
            "where = torch.randn(2000, 4, requires_grad=True)",
        ),
    )
    + "slope = torch.autograd.grad(model(where).sum(), where)\n"
)
AUXILIARY = changed(
    HEALTHY["DST004"],
    ("nn.functional.cross_entropy(model(x), y)", "(nn.functional.cross_entropy(model(x), y) + model.module(-x).square().mean())"),
)
AT_ONCE = changed(
    CLASSIFIER, (STEP, STEP + "    if start == 32:\n        best = model.state_dict()\n        torch.save(best, 'best.pt')\n")
)
CLONES = changed(SICK["EVA001"], ("best = model.state_dict()", "best = {k: v.clone() for k, v in model.state_dict().items()}"))
LIVE = changed(CLASSIFIER, ("for start", "live = model.state_dict()\nfor start")) + "torch.save(live, 'last.pt')\n"
SUMMED = changed(
    CLASSIFIER,
    ("for start", "total = 0.0\nfor start"),
    ("    optimizer.zero_grad()\n", ""),
    (
        "    loss.backward()\n    optimizer.step()\n",
        """    total = total + loss
    if start % 16:
        total.backward()
        optimizer.step()
        optimizer.zero_grad()
        total = 0.0
""",
    ),
)
EVALUATE = "test_x, test_y = x[40:], y[40:]\n    accuracy = (model(test_x).argmax(1) == test_y).float().mean()"
ROUNDED = changed(
    SICK["EVA004"],
    ("largest, position = torch.max(model(x), 1)\n", "scores = model(x).sigmoid()[:, 0]\n"),
    ("(largest == y)", "(scores.round() == (y > 0).long())"),
)

CASES = [
    healed("DST002", "A disabled scaler", ("init_scale=1024.0", "enabled=False")),
    healed("DST002", "one whose factor is 1", ("init_scale=1024.0", "init_scale=1.0")),
    Case("DST003", "Samplers of an evaluation", EVALUATED),
    healed("DST003", "`shuffle=False`", ("rank=0", "rank=0, shuffle=False")),
    pair("DST004", "Evaluation through `.module`", INNER, ("cross_entropy(model(x)", "cross_entropy(model.module(x)")),
    pair("DST004", "auxiliary passes beside training passes", AUXILIARY, ("(model(x), y)", "(model.module(x), y)")),
    pair("EVA001", "Saved or loaded before the next step", AT_ONCE + "# END", ("# END", "model.load_state_dict(best)")),
    Case("EVA001", "a deep copy or clones", CLONES),
    pair(
        "EVA001",
        "a state dict taken once and saved on purpose",
        LIVE,
        ("torch.save(live, 'last.pt')", "model.load_state_dict(live)"),
    ),
    pair(
        "EVA002",
        "A sum of losses before a single backward",
        SUMMED,
        ("if start % 16:", "if True:"),
        ("total.backward()", "loss.backward()"),
        ("        total = 0.0\n", ""),
    ),
    healed(
        "EVA003",
        "or nothing says held out",
        (EVALUATE, "some, labels = x[40:], y[40:]\n    accuracy = (model(some).argmax(1) == labels).float().mean()"),
    ),
    healed(
        "EVA003",
        "a name or the statement says training",
        (EVALUATE, "train_x, train_y = x[40:], y[40:]\n    accuracy = (model(train_x).argmax(1) == train_y).float().mean()"),
    ),
    healed(
        "EVA003",
        "rows of fewer than four numbers",
        ("torch.randn(80, 4)", "torch.randn(80, 3)"),
        ("nn.Linear(4, 8)", "nn.Linear(3, 8)"),
    ),
    pair("EVA004", "Rounded predictions", ROUNDED, ("scores.round()", "scores")),
    Case("EVA005", "Gradients of an output that `torch.autograd.grad` is asked for", SLOPES),
    pair("EVA005", "less than a megabyte", SICK["EVA005"].replace("2000", "500"), ("500", "2000")),
    healed("EVA004", "indices stored as floating-point numbers", ("largest == y", "position.float() == y")),
]


@pytest.mark.parametrize("case", params(CASES))
def test_a_clause_lets_its_case_pass(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    check(case, tmp_path, monkeypatch)
