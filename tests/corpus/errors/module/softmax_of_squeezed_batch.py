import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Ranker(nn.Module):
    def __init__(self):
        super().__init__()
        self.score = nn.Conv1d(6, 1, 1)

    def forward(self, candidates):
        scores = self.score(candidates).squeeze()
        return torch.softmax(scores, dim=1)


ranker = Ranker()
loader = DataLoader(TensorDataset(torch.randn(33, 6, 10)), batch_size=8)
best = []
for (candidates,) in loader:
    best += ranker(candidates).argmax(dim=-1).tolist()
