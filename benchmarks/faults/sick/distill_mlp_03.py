"""A student network copies the answers of a wider one."""
import torch
from torch import nn
import torch.nn.functional as F


def checker(n):
    x = torch.rand(n, 2) * 3
    return x - 1.5, (x.floor().sum(1) % 2).long()


class Classifier(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2))

    def log_probs(self, x):
        return F.log_softmax(self.layers(x), dim=1)


def accuracy(model, x, y):
    with torch.no_grad():
        return (model.log_probs(x).argmax(1) == y).float().mean().item()


def main():
    torch.manual_seed(2)
    tx, ty = checker(500)
    teacher, student = Classifier(64), Classifier(24)
    optimizer = torch.optim.Adam(teacher.parameters(), lr=5e-3)
    for _ in range(300):
        x, y = checker(64)
        optimizer.zero_grad()
        F.nll_loss(teacher.log_probs(x), y).backward()
        optimizer.step()
    print(f"teacher accuracy {accuracy(teacher, tx, ty):.3f}")
    optimizer = torch.optim.Adam(student.parameters(), lr=5e-3)
    for step in range(400):
        x, _ = checker(64)
        with torch.no_grad():
            target = teacher.log_probs(x)
        output = student.log_probs(x)
        loss = F.kl_div(target, output, reduction="batchmean", log_target=True)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"student loss {loss.item():.4f} accuracy {accuracy(student, tx, ty):.3f}")


if __name__ == "__main__":
    main()
