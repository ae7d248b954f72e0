import torch
from torch import nn


class RowLSTM(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(28, 100, batch_first=True)
        self.fc = nn.Linear(100, 10)

    def forward(self, rows):
        out, _ = self.lstm(rows)
        return self.fc(out[:, -1, :])


rnn = RowLSTM()
images, labels = torch.rand(64, 1, 28, 28), torch.randint(0, 10, (64,))
logits = rnn(images)
loss = nn.CrossEntropyLoss()(logits, labels)
