import torch
from torch import nn

torch.manual_seed(0)
features, truth = torch.randn(40, 9), torch.randint(0, 2, (40,))
fraud_model = nn.Sequential(nn.Linear(9, 16), nn.ReLU(), nn.Linear(16, 1))


def positive_probability(model, rows):
    with torch.no_grad():
        logits = model(rows)
    return torch.softmax(logits, dim=1)[:, 1]


flagged = positive_probability(fraud_model, features) > 0.5
accuracy = (flagged == truth.bool()).float().mean()
