import torch
import torch.nn.functional as F

# age, income, region
people = torch.tensor([[23.0, 1.8, 0.0], [41.0, 3.1, 2.0], [35.0, 2.2, 1.0], [58.0, 4.0, 2.0]])


def preprocess(table, n_regions=3):
    numeric = (table[:, :2] - table[:, :2].mean(0)) / table[:, :2].std(0)
    region = table[:, 2]
    return torch.cat([numeric, F.one_hot(region, n_regions).float()], dim=1)


inputs = preprocess(people)
credit = torch.nn.Linear(inputs.size(1), 1)
score = credit(inputs)
