"""Learn without labels what two noisy views of the same thing have in common."""
import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(0)
GROUPS = 8
centres = torch.randn(GROUPS, 6)
mixing = torch.linalg.qr(torch.randn(24, 24)).Q


def thing(n):
    group = torch.randint(GROUPS, (n,))
    return centres[group] + 0.3 * torch.randn(n, 6), group


def view(core):
    return torch.cat([core, torch.randn(len(core), 18)], 1) @ mixing


class Siam(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(24, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 16), nn.BatchNorm1d(16, affine=False)
        )
        self.predictor = nn.Sequential(nn.Linear(16, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 16))

    def forward(self, a, b):
        za, zb = self.encoder(a), self.encoder(b)
        pa, pb = self.predictor(za), self.predictor(zb)
        return -(F.cosine_similarity(pa, zb.detach()).mean() + F.cosine_similarity(pb, za.detach()).mean()) / 2


def nearest_agrees(model, x, group):
    model.eval()
    with torch.no_grad():
        z = F.normalize(model.encoder(x), dim=1)
    model.train()
    return (group[(z @ z.T - 2 * torch.eye(len(x))).argmax(1)] == group).float().mean().item()


core, test_group = thing(500)
test_x = view(core)
model = Siam()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
for step in range(401):
    core, _ = thing(128)
    loss = model(view(core), view(core))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        agreement = nearest_agrees(model, test_x, test_group)
        print(f"step {step} similarity {-loss.item():.3f} nearest neighbour is of the same group {agreement:.3f}")
