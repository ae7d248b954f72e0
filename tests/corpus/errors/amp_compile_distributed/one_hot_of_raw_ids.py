import torch
import torch.nn.functional as F

user_ids = torch.tensor([7_340_112_233_445, 9_120_334_455_667, 7_340_112_233_445, 8_001_002_003_004])
watched = torch.tensor([12.0, 3.5, 8.0, 20.0])


def encode(ids):
    return F.one_hot(ids)


features = encode(user_ids).float()
weights = torch.linalg.lstsq(features, watched.unsqueeze(1)).solution
