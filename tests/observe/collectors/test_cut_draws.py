"""Draws that keep a gradient from the distribution they come from, and those that are meant to."""

from pathlib import Path

import pytest

from torchclinic.observe.collecting import collect
from torchclinic.observe.session import Session
from torchclinic.report.model import Finding
from torchclinic.rules.judging import judge
from torchclinic.running.launcher import Target, launch

HEAD = """
import torch
from torch import nn
from torch.nn import functional as F
from torch.distributions import Independent, Laplace, LogNormal, MultivariateNormal, Normal, kl_divergence
torch.manual_seed(0)
mix = torch.randn(3, 10)
def data(rows=64): return torch.tanh(torch.randn(rows, 3) @ mix)
class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.mu, self.log_std = nn.Sequential(nn.Linear(10, 32), nn.Tanh()), nn.Linear(32, 4), nn.Linear(32, 4)
        self.dec = nn.Sequential(nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 10))
    def stats(self, x):
        h = self.body(x)
        return self.mu(h), self.log_std(h).clamp(-5, 2).exp()
def fit(parameters, loss, steps=8):
    opt = torch.optim.Adam(parameters, 2e-3)
    for _ in range(steps):
        opt.zero_grad(); loss().backward(); opt.step()
net = VAE()
def kl(mu, std): return 0.5 * (mu**2 + std**2 - 2 * std.log() - 1).sum(1).mean() / 10
"""
VAE_LOSS = """
def loss():
    x = data()
    mu, std = net.stats(x)
    DRAW
    return F.mse_loss(net.dec(z), x) + 0.02 * kl(mu, std)
fit(net.parameters(), loss)
"""
POLICY = """
policy = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 2))
critic = nn.Sequential(nn.Linear(12, 32), nn.Tanh(), nn.Linear(32, 1))
value, log_std = nn.Linear(10, 1), nn.Parameter(torch.zeros(2))
def reward(s, a): return -(a - s[:, :2]).square().sum(1)
"""
SICK = {
    "sample": "q = Normal(mu, std); z = q.sample()",
    "torch-normal": "z = torch.normal(mu, std)",
    "no-grad": "eps = torch.randn_like(std)\n    with torch.no_grad(): z = mu + std * eps",
    "no-grad-rsample": "q = Normal(mu, std)\n    with torch.no_grad(): z = q.rsample()",
    "independent": "z = Independent(Normal(mu, std), 1).sample()",
    "covariance": "z = MultivariateNormal(mu, scale_tril=torch.diag_embed(std)).sample()",
    "laplace": "z = Laplace(mu, std).sample()",
    "log-normal": "z = LogNormal(mu, std).sample().log1p()",
    "several": "z = Normal(mu, std).sample((3,)).mean(0)",
    "bounded": "z = Normal(mu, std).sample().tanh()",
    "normal-bounded": "z = torch.normal(mu, std).tanh().view(64, 4)",
    "normal-without-a-given-spread": "z = torch.normal(mu, 0.5)",
}
HEALTHY = {
    "rsample": VAE_LOSS.replace("DRAW", "z = Normal(mu, std).rsample()"),
    "written-out": VAE_LOSS.replace("DRAW", "z = mu + std * torch.randn_like(std)"),
    "log-probability-in-the-loss": VAE_LOSS.replace("DRAW", "q = Normal(mu, std); z = q.sample()").replace(
        "kl(mu, std)", "(q.log_prob(z) - Normal(0.0, 1.0).log_prob(z)).mean()"
    ),
    "second-draw-for-another-network": """
flow = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 4))
def loss():
    x = data(); mu, std = net.stats(x); q = Normal(mu, std)
    with torch.no_grad(): fixed = q.rsample()
    return F.mse_loss(net.dec(q.rsample()), x) + 0.02 * kl(mu, std) + F.mse_loss(flow(fixed), torch.zeros(64, 4))
fit([*net.parameters(), *flow.parameters()], loss)
""",
    "latents-of-a-mean-that-is-decoded": """
flow = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 4))
def loss():
    x = data(); mu, std = net.stats(x)
    with torch.no_grad(): noisy = mu + 0.3 * torch.randn_like(mu)
    return F.mse_loss(net.dec(mu), x) + 0.01 * mu.square().mean() + F.mse_loss(flow(noisy), mu.detach())
fit([*net.body.parameters(), *net.mu.parameters(), *net.dec.parameters(), *flow.parameters()], loss)
""",
    "noise-as-wide-as-the-activations": """
def loss():
    x = data(); h, _ = net.stats(x)
    with torch.no_grad(): noise = torch.randn_like(h) * (0.1 * h.abs())
    return F.mse_loss(net.dec(h + noise), x) + 0.01 * h.square().mean()
fit([*net.body.parameters(), *net.mu.parameters(), *net.dec.parameters()], loss)
""",
    "policy-gradient": POLICY
    + """
def loss():
    s = data(); d = Normal(policy(s), log_std.exp()); a = d.sample()
    return -(d.log_prob(a).sum(1) * (reward(s, a) - reward(s, a).mean())).mean() - 0.01 * d.entropy().mean()
fit([*policy.parameters(), log_std], loss)
""",
    "actor-and-critic-in-one-loss": POLICY
    + """
def loss():
    s = data(); d = Normal(policy(s), log_std.exp()); a = d.sample(); r = reward(s, a)
    q = critic(torch.cat([s, a], 1)).squeeze(1)
    return (q - r).square().mean() - (d.log_prob(a).sum(1) * (q - r).detach()).mean() - 0.01 * d.entropy().mean()
fit([*policy.parameters(), *critic.parameters(), log_std], loss)
""",
    "proximal-policy": POLICY
    + """
opt = torch.optim.Adam([*policy.parameters(), *critic.parameters(), log_std], 1e-3)
for _ in range(4):
    s = data(); old = Normal(policy(s), log_std.exp()); a = old.sample(); before = old.log_prob(a).sum(1).detach()
    for _ in range(4):
        d = Normal(policy(s), log_std.exp()); q = critic(torch.cat([s, a], 1)).squeeze(1)
        ratio = (d.log_prob(a).sum(1) - before).exp()
        (-(ratio * (reward(s, a) - q.detach())).mean() + (q - reward(s, a)).square().mean() - 0.01 * d.entropy().mean()).backward()
        opt.step(); opt.zero_grad()
""",
    "soft-actor-critic": POLICY
    + """
a_opt, c_opt = torch.optim.Adam(policy.parameters(), 1e-3), torch.optim.Adam(critic.parameters(), 1e-3)
for _ in range(12):
    s, s2 = data(), data(); a = Normal(policy(s), 0.3).sample()
    with torch.no_grad():
        y = reward(s, a)[:, None] + 0.9 * critic(torch.cat([s2, Normal(policy(s2), 0.3).sample()], 1))
    c_opt.zero_grad(); F.mse_loss(critic(torch.cat([s, a], 1)), y).backward(); c_opt.step()
    a_opt.zero_grad(); (-critic(torch.cat([s, Normal(policy(s), 0.3).rsample()], 1))).mean().backward(); a_opt.step()
""",
    "critic-of-draws-whose-rewards-are-numbers": POLICY
    + """
a_opt, c_opt = torch.optim.Adam(policy.parameters(), 1e-3), torch.optim.Adam(critic.parameters(), 1e-3)
for _ in range(8):
    s = data(); a = Normal(policy(s), 0.3).sample(); y = torch.tensor(reward(s, a).tolist())
    c_opt.zero_grad(); F.mse_loss(critic(torch.cat([s, a], 1)).squeeze(1), y).backward(); c_opt.step()
    a_opt.zero_grad(); (-critic(torch.cat([s, policy(s)], 1))).mean().backward(); a_opt.step()
""",
    "one-action-at-a-time": """
policy, critic = nn.Linear(10, 1), nn.Linear(11, 1)
def loss():
    s = data(1)[0]; d = Normal(policy(s).squeeze(), 0.5); a = d.sample(); r = -(a.item() - s[0].item()) ** 2
    q = critic(torch.cat([s, a[None]])).squeeze()
    return (q - r) ** 2 - d.log_prob(a) * (r - q.item())
fit([*policy.parameters(), *critic.parameters()], loss)
""",
    "rolled-out-on-its-own-samples": """
cell, head, start = nn.GRUCell(2, 24), nn.Linear(24, 2), nn.Parameter(torch.zeros(1, 24))
def loss():
    h, total = start.expand(32, -1), 0
    for t in range(5):
        d = Normal(head(h), 0.5)
        total = total + d.mean.square().mean()
        h = cell(d.sample() + torch.randn(32, 2), h)
    return total
fit([*cell.parameters(), *head.parameters(), start], loss)
""",
    "imitation-and-critic-in-one-loss": POLICY
    + """
def loss():
    s = data(); d = Normal(policy(s), log_std.exp()); a = d.sample(); shown = s[:, :2] + 0.1 * torch.randn(64, 2)
    return F.mse_loss(critic(torch.cat([s, a], 1)).squeeze(1), reward(s, a)) - d.log_prob(shown).mean()
fit([*policy.parameters(), *critic.parameters(), log_std], loss)
""",
    "critic-of-a-mean-and-of-a-draw": POLICY
    + """
def loss():
    s = data(); mu = policy(s)
    with torch.no_grad(): a = mu + 0.2 * torch.randn_like(mu)
    return F.mse_loss(critic(torch.cat([s, a], 1)).squeeze(1), reward(s, a)) - critic(torch.cat([s, mu], 1)).mean()
fit([*policy.parameters(), *critic.parameters()], loss)
""",
    "fed-its-own-samples": """
cell, head, start = nn.GRUCell(2, 24), nn.Linear(24, 4), nn.Parameter(torch.zeros(1, 24))
def loss():
    y = torch.cumsum(torch.randn(32, 6, 2), 1); h = start.expand(32, -1); total = 0
    for t in range(5):
        mu, log_std = head(h).chunk(2, 1); d = Normal(mu, log_std.clamp(-3, 2).exp())
        total = total - d.log_prob(y[:, t]).mean()
        h = cell(y[:, t] if t % 2 else d.sample(), h)
    return total / 5
fit([*cell.parameters(), *head.parameters(), start], loss)
""",
    "contrastive-divergence": """
W, a, b = (0.1 * torch.randn(10, 8)).requires_grad_(), torch.zeros(10, requires_grad=True), torch.zeros(8, requires_grad=True)
def energy(v): return 0.5 * (v - a).square().sum(1) - F.softplus(v @ W + b).sum(1)
def loss():
    v = data()
    fake = torch.normal(torch.bernoulli(torch.sigmoid(v @ W + b)) @ W.T + a, 1.0)
    return energy(v).mean() - energy(fake).mean()
fit([W, a, b], loss)
""",
    "negatives-around-the-positives": """
opt = [*net.body.parameters(), *net.mu.parameters()]
def loss():
    x = data(); anchor = net.mu(net.body(x)); positive = net.mu(net.body(x + 0.05 * torch.randn_like(x)))
    with torch.no_grad(): negative = positive + torch.randn_like(positive)
    return F.triplet_margin_loss(anchor, positive, negative) + 0.01 * positive.square().mean()
fit(opt, loss)
""",
}


def found(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    monkeypatch.setenv("TORCHCLINIC_STRICT", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(HEAD + script)
    session = Session()
    outcome = launch(Target("train.py"), session, lambda outcome: None)
    assert outcome.exit_code == 0
    return [finding for finding in judge(collect(session)).findings if finding.code == "WIR006"]


@pytest.mark.parametrize("name", SICK)
def test_a_latent_that_is_drawn_without_gradients(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = VAE_LOSS.replace("DRAW", SICK[name])
    [finding] = found(script, tmp_path, monkeypatch)
    place = (HEAD + script).splitlines()[int(finding.line.rpartition(":")[2]) - 1]
    assert place.strip() == SICK[name].splitlines()[-1].strip()


@pytest.mark.parametrize("name", HEALTHY)
def test_draws_that_need_no_gradient(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(HEALTHY[name], tmp_path, monkeypatch) == []


def test_an_encoder_that_no_gradient_reaches_is_cut_by_the_draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = """
def loss():
    x = data(); z = Normal(net.stats(x)[0], 0.1).sample()
    return F.mse_loss(net.dec(z), x)
fit([*net.body.parameters(), *net.mu.parameters(), *net.dec.parameters()], loss)
"""
    script = script.replace("def loss", "net.body = nn.Linear(10, 32)\ndef loss")
    [finding] = found(script, tmp_path, monkeypatch)
    assert finding.evidence["cut"] == "sample"
    assert "sample()" in (HEAD + script).splitlines()[int(finding.line.rpartition(":")[2]) - 1]
