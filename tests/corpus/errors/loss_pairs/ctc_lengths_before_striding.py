import torch
from torch import nn


class Speech(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(13, 24, 3, stride=2, padding=1)
        self.out = nn.Linear(24, 11)

    def forward(self, mfcc):
        h = torch.relu(self.conv(mfcc))
        return self.out(h.permute(2, 0, 1)).log_softmax(-1)


def loss_of(model, mfcc, words, word_lengths):
    log_probs = model(mfcc)
    lengths = torch.full((mfcc.size(0),), mfcc.size(2))
    return nn.functional.ctc_loss(log_probs, words, lengths, word_lengths)


mfcc = torch.randn(2, 13, 60)
words = torch.randint(1, 11, (2, 6))
loss_of(Speech(), mfcc, words, torch.tensor([6, 4])).backward()
