import platform

import torch


def describe():
    info = {"python": platform.python_version(), "torch": torch.__version__}
    info["gpu"] = torch.cuda.get_device_name(0)
    return info


class Experiment:
    def __init__(self, seed):
        torch.manual_seed(seed)
        self.info = describe()
        self.model = torch.nn.Linear(4, 2)


experiment = Experiment(seed=1)
