import numpy as np
import torch

records = [{"age": 31, "income": 2400.0}, {"age": 58, "income": None}, {"age": 44, "income": 3100.0}]
table = np.array([[record["age"], record["income"]] for record in records])
features = torch.from_numpy(table)
known = features[~torch.isnan(features).any(dim=1)]
scaled = (known - known.mean(dim=0)) / known.std(dim=0)
