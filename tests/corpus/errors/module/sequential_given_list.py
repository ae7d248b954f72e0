import torch
from torch import nn


def mlp(widths, activation=nn.ReLU):
    layers = []
    for i in range(len(widths) - 1):
        layers.append(nn.Linear(widths[i], widths[i + 1]))
        if i < len(widths) - 2:
            layers.append(activation())
    return nn.Sequential(layers)


q_network = mlp([4, 128, 128, 2])
target_network = mlp([4, 128, 128, 2])
target_network.load_state_dict(q_network.state_dict())
action = q_network(torch.randn(1, 4)).argmax()
