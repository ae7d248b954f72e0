"""What makes a classifier production-grade: BatchNorm, Dropout, Adam, and the two modes?

    torchclinic lab nn-architecture [--data mnist]

Each part is measured against its definition here; `production_classifier` puts them together.
Sources: Ioffe and Szegedy 2015, arXiv:1502.03167 (algorithms 1 and 2); Srivastava et al. 2014, JMLR 15 (section 10);
Kingma and Ba 2015, arXiv:1412.6980 (algorithm 1 and section 2.1).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchclinic.data import Mnist, load_mnist, normalize
from torchclinic.labs.lab import Lab
from torchclinic.models import ModernMlp

BATCH, CHANNELS = 64, 32
DROP = 0.2  # probability of a zero
EPSILON = torch.finfo(torch.float32).eps
BETA1, BETA2, RATE = 0.9, 0.999, 1e-3  # Adam's defaults


def run(lab: Lab) -> None:
    torch.manual_seed(lab.seed)
    data = load_mnist("mnist" if lab.options.data == "mnist" else "subset", lab.options.data_dir)
    examine_batchnorm(lab)
    examine_dropout(lab)
    examine_adam(lab, data)


def examine_batchnorm(lab: Lab) -> None:
    lab.section("BatchNorm: two functions in one module")
    lab.prose("""In train mode each channel is normalized with the mean and the *biased* variance of its batch, and the
        running statistics take a step of 0.1 towards the batch's mean and *unbiased* variance. In eval mode the batch
        plays no part. Tolerances follow from float32: a few roundings, and the cancellation in x − mean.""")
    norm = nn.BatchNorm1d(CHANNELS)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2)
        norm.bias.uniform_(-1, 1)
    batches = [torch.randn(BATCH, CHANNELS) * 3 + 5 for _ in range(20)]
    x = batches[0]
    standard = (norm(x).detach() - norm.bias.detach()) / norm.weight.detach()
    rounding = 8 * EPSILON * float(x.abs().max() / x.std(0).min())  # cancellation in x − mean, then a few roundings
    lab.claim("bn-mean", "Train mode: mean of every channel", predicted=0.0, measured=_largest(standard.mean(0)),
              relation="≈", tolerance=rounding, source="arXiv:1502.03167, algorithm 1", note="largest of 32 channels")
    biased = x.var(0, correction=0)
    theory = biased / (biased + norm.eps) * BATCH / (BATCH - 1)
    lab.claim("bn-variance", "Train mode: unbiased variance is n/(n−1) · σ²/(σ² + ε), not 1", predicted=0.0,
              measured=_largest(standard.var(0) - theory), relation="≈", tolerance=4 * rounding,
              source="arXiv:1502.03167, algorithm 1", note=f"n = {BATCH}; normalized with the biased variance")
    for batch in batches[1:]:
        norm(batch)
    mean, variance = torch.zeros(CHANNELS), torch.ones(CHANNELS)
    for batch in batches:
        mean = (1 - 0.1) * mean + 0.1 * batch.mean(0)
        variance = (1 - 0.1) * variance + 0.1 * batch.var(0)  # unbiased, unlike the one it normalizes with
    for name, value, buffer in (("mean", mean, norm.running_mean), ("variance", variance, norm.running_var)):
        assert buffer is not None
        tolerance = 8 * EPSILON * float(value.abs().max())
        lab.claim(f"bn-running-{name}", f"After 20 batches the running {name} is the exponential average, momentum 0.1",
                  predicted=0.0, measured=_largest(buffer - value), relation="≈", tolerance=tolerance)
    norm.eval()
    affine = (x - mean) / (variance + norm.eps).sqrt() * norm.weight.detach() + norm.bias.detach()
    lab.claim("bn-eval", "Eval mode: the affine map of the running statistics, whatever the batch", predicted=0.0,
              measured=_largest(norm(x).detach() - affine), relation="≈", tolerance=16 * EPSILON * _largest(affine),
              source="arXiv:1502.03167, algorithm 2")


def examine_dropout(lab: Lab) -> None:
    lab.section("Dropout: same mean, more variance")
    lab.prose("""What survives is divided by 1 − p, so the expectation stays; the mean square grows by the same factor. That
        noise is the regularizer, and the reason a prediction in train mode is one draw of many.""")
    n = 200_000 if lab.fast else 2_000_000
    x = torch.randn(n) + 1
    y = F.dropout(x, DROP, training=True)
    lab.claim("dropout-zeros", "Share of zeros", predicted=DROP, measured=(y == 0).double().mean().item(), relation="≈",
              tolerance=4 * math.sqrt(DROP * (1 - DROP) / n), note=f"n = {n:,}; four standard errors")
    added = y.double() - x.double()  # paired with its input, so that only the mask scatters
    lab.claim("dropout-mean", "The expectation stays", predicted=0.0, measured=added.mean().item(), relation="≈",
              tolerance=4 * added.std().item() / math.sqrt(n), source="JMLR 15, section 10")
    square = y.double().square()
    predicted = x.double().square().mean().item() / (1 - DROP)
    lab.claim("dropout-second-moment", "The mean square is multiplied by 1/(1−p) = 1.25", predicted=predicted,
              measured=square.mean().item(), relation="≈", tolerance=4 * square.std().item() / math.sqrt(n),
              note="so the variance grows by p/(1−p)·E[x²]; four standard errors")
    lab.claim("dropout-eval", "Eval mode: the identity, bit for bit", predicted=True,
              measured=torch.equal(F.dropout(x, DROP, training=False), x))


def examine_adam(lab: Lab, data: Mnist) -> None:
    lab.section("Adam: the size of a step")
    lab.prose("""Adam divides a running mean of gradients by the root of a running mean of their squares. Bias correction
        makes the first ratio exactly g/(|g| + ε): every coordinate moves by lr. Later the ratio is bounded.""")
    model = ModernMlp()
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, betas=(BETA1, BETA2))
    moved: list[Tensor] = []
    for index in torch.randperm(len(data.train_labels))[: 100 * BATCH].split(BATCH):
        optimizer.zero_grad()
        F.cross_entropy(model(normalize(data.train_images[index])), data.train_labels[index]).backward()
        before = nn.utils.parameters_to_vector(model.parameters()).detach().double()
        if not moved:
            gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None]).double()
        optimizer.step()
        moved.append(nn.utils.parameters_to_vector(model.parameters()).detach().double() - before)
    live = gradient.abs() > 1e-5  # a thousand times Adam's ε: there g/(|g| + ε) is ±1 within 0.1 %
    # reading the step off float32 parameters of size up to 1 loses about half an ulp: 6e-8 of 1e-3
    lab.claim("adam-first-step", "First step: every coordinate with a gradient moves by lr, whatever the gradient's size",
              predicted=1.0, measured=(moved[0][live].abs() / RATE).max().item(), relation="≈", tolerance=2e-3, unit="lr",
              source="arXiv:1412.6980, algorithm 1 at t = 1",
              note=f"{int(live.sum()):,} coordinates, gradients from 1e-5 to {float(gradient.abs().max()):.2g}")
    largest = max(float(step.abs().max()) / RATE / step_bound(t) for t, step in enumerate(moved, 1))
    lab.claim("adam-bound", "Later steps stay under the Cauchy–Schwarz bound at their t", predicted=1.0, measured=largest,
              relation="≤", tolerance=2e-3, unit="of the bound", note=f"{len(moved)} steps; see `step_bound`")
    weight = nn.Parameter(torch.zeros((), dtype=torch.float64))
    worst = torch.optim.Adam([weight], lr=RATE, betas=(BETA1, BETA2), eps=0)
    size = 0.0
    for t in range(1, 3001):  # gradients that grow as fast as the bound allows
        weight.grad = torch.tensor((BETA2 / BETA1) ** (t - 3000), dtype=torch.float64)
        start = weight.item()
        worst.step()
        size = abs(weight.item() - start) / RATE
    lab.claim("adam-paper-bound", "The paper's bound (1−β₁)/√(1−β₂) = 3.16 lr is for one lone gradient: growing ones exceed it",
              predicted=(1 - BETA1) / math.sqrt(1 - BETA2), measured=size, relation=">", unit="lr",
              source="arXiv:1412.6980, section 2.1", note=f"the one that holds is {step_bound(3000):.3f} lr")


def step_bound(t: int) -> float:
    """Largest |Δθ|/lr at step t: |m̂| ≤ √(Σ wᵢ²/uᵢ)·√v̂ with weights w of m̂ and u of v̂ (Cauchy–Schwarz)."""
    w = [(1 - BETA1) * BETA1 ** (t - i) / (1 - BETA1**t) for i in range(1, t + 1)]
    u = [(1 - BETA2) * BETA2 ** (t - i) / (1 - BETA2**t) for i in range(1, t + 1)]
    return math.sqrt(sum(a * a / b for a, b in zip(w, u, strict=True)))


def _largest(x: Tensor) -> float:
    return float(x.abs().max())
