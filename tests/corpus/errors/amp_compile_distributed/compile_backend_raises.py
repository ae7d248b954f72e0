import torch
from torch import nn


def count_multiplications(graph_module, example_inputs):
    total = 0
    for node in graph_module.graph.nodes:
        if node.op == "call_function":
            total += node.meta["flops"]
    count_multiplications.total = total
    return graph_module.forward


mlp = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 1))
counted = torch.compile(mlp, backend=count_multiplications)
value = counted(torch.randn(5, 10))
