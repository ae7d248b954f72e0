from torch import nn, optim, randn

net = nn.Linear(6, 2)
optimizer = optim.Adam
settings = {"lr": 0.001}


def step(batch):
    optimizer.zero_grad()
    loss = net(batch).abs().mean()
    loss.backward()
    optimizer.step()


step(randn(5, 6))
