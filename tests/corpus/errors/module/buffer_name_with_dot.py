from torch import nn


class MovingAverage(nn.Module):
    def __init__(self, model, decay):
        super().__init__()
        self.decay = decay
        for name, parameter in model.named_parameters():
            self.register_buffer(name, parameter.detach().clone())

    def update(self, model):
        for average, parameter in zip(self.buffers(), model.parameters(), strict=True):
            average.lerp_(parameter.detach(), 1 - self.decay)


model = nn.Sequential(nn.Linear(5, 5), nn.Linear(5, 1))
average = MovingAverage(model, decay=0.99)
average.update(model)
