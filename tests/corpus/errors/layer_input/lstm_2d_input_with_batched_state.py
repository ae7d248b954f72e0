import torch
import torch.nn as nn

hidden_size = 20
lstm = nn.LSTM(input_size=3, hidden_size=hidden_size, batch_first=True)
classifier = nn.Linear(hidden_size, 2)


def init_state(batch_size=1):
    return torch.zeros(1, batch_size, hidden_size), torch.zeros(1, batch_size, hidden_size)


def run(readings):
    state = init_state()
    out, _ = lstm(readings, state)
    return classifier(out[:, -1])


sensor = torch.randn(50, 3)
decision = run(sensor)
