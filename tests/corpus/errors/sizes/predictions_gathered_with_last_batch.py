import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

scorer = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 2))
test_loader = DataLoader(TensorDataset(torch.randn(36, 5)), batch_size=16)


@torch.no_grad()
def predict_all(model, loader):
    model.eval()
    outputs = []
    for (rows,) in loader:
        outputs.append(model(rows).softmax(dim=1))
    return torch.stack(outputs)


probabilities = predict_all(scorer, test_loader)
confidence = probabilities.max(dim=-1).values
