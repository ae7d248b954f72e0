from torch import nn


class Adapters(nn.Module):
    def __init__(self, base, rank):
        super().__init__()
        self.base = base
        layers = {name: layer for name, layer in base.named_modules() if isinstance(layer, nn.Linear)}
        self.low_rank = nn.ModuleDict()
        for name, layer in layers.items():
            adapter = nn.Sequential(nn.Linear(layer.in_features, rank), nn.Linear(rank, layer.out_features))
            self.low_rank[name] = adapter


base = nn.Sequential(nn.Sequential(nn.Linear(8, 8), nn.ReLU()), nn.Linear(8, 2))
adapters = Adapters(base, rank=2)
count = sum(parameter.numel() for parameter in adapters.low_rank.parameters())
