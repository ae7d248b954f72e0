"""One body, two heads, tasks in turn."""
import torch
from torch import nn


class TwoTasks(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(10, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU())
        self.heads = nn.ModuleDict({"value": nn.Linear(48, 1), "kind": nn.Linear(48, 3)})

    def forward(self, x, task):
        return self.heads[task](self.body(x))


def batch(n, task):
    x = torch.randn(n, 10)
    if task == "value":
        return x, x[:, :1] - x[:, 1:2] * x[:, 2:3]
    return x, x[:, 3:6].argmax(1)


losses = {"value": nn.MSELoss(), "kind": nn.CrossEntropyLoss()}
torch.manual_seed(0)
model = TwoTasks()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
valid = {task: batch(400, task) for task in losses}
for step in range(601):
    task = "value" if step % 3 else "kind"
    x, y = batch(48, task)
    optimizer.zero_grad()
    loss = losses[task](model(x, task), y)
    loss.backward()
    optimizer.step()
    if step % 150 == 0:
        with torch.no_grad():
            scores = {t: losses[t](model(valid[t][0], t), valid[t][1]).item() for t in losses}
        print(f"step {step}", " ".join(f"{t} {s:.3f}" for t, s in scores.items()))
