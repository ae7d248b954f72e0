"""Predict prices of houses from eight features."""
import torch
from torch import nn


def make_houses(count, generator):
    x = torch.randn(count, 8, generator=generator)
    price = 2 * x[:, 0] - x[:, 1] + 0.5 * x[:, 2] * x[:, 3] + torch.tanh(x[:, 4])
    return x, (price + 0.1 * torch.randn(count, generator=generator)).unsqueeze(1)


def update(model, optimizer, loss, max_norm):
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    for p in model.parameters():
        p.grad = None
    optimizer.step()


def main():
    g = torch.Generator().manual_seed(5)
    torch.manual_seed(5)
    x, y = make_houses(2000, g)
    vx, vy = make_houses(500, g)
    model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for epoch in range(6):
        for pick in torch.randperm(len(x)).split(50):
            update(model, optimizer, nn.functional.mse_loss(model(x[pick]), y[pick]), max_norm=10.0)
        with torch.no_grad():
            print(f"epoch {epoch}: validation error {nn.functional.mse_loss(model(vx), vy).item():.4f}")


if __name__ == "__main__":
    main()
