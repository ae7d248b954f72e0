import torch


def keep_best(boxes, scores, k):
    keep, _ = torch.topk(scores, k)
    return torch.index_select(boxes, 0, keep)


torch.manual_seed(0)
xy = torch.rand(50, 2)
boxes = torch.cat([xy, xy + 0.1], dim=1)
scores = torch.rand(50)
best = keep_best(boxes, scores, k=10)
areas = (best[:, 2] - best[:, 0]) * (best[:, 3] - best[:, 1])
