import torch

content = torch.rand(1, 3, 16, 16)
canvas = content.clone().requires_grad_(True)
optimizer = torch.optim.Adam(canvas, lr=0.02)


def gram(features):
    flat = features.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.size(2)


style = gram(torch.rand(1, 3, 16, 16))
for _ in range(10):
    optimizer.zero_grad()
    loss = (canvas - content).pow(2).mean() + (gram(canvas) - style).pow(2).mean()
    loss.backward()
    optimizer.step()
