import torch
from torch import nn


class GraphConv(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(in_features, out_features) * 0.1)

    def forward(self, adjacency, features):
        support = torch.mm(features, self.weight)
        return torch.relu(torch.mm(adjacency, support))


age = [23.0, 31.0, 45.0, 52.0, 19.0]
income = [1.2, 3.4, 2.2, 5.1, 0.4]
degree = [2.0, 3.0, 1.0, 2.0, 2.0]
node_features = torch.tensor([age, income, degree])
adjacency = torch.eye(5) + torch.diag(torch.ones(4), 1) + torch.diag(torch.ones(4), -1)
adjacency = adjacency / adjacency.sum(1, keepdim=True)

gcn = GraphConv(3, 8)
hidden = gcn(adjacency, node_features)
