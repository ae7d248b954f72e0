import torch
from torch import nn


class OCR(nn.Module):
    def __init__(self, n_symbols):
        super().__init__()
        self.rnn = nn.GRU(16, 32, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(64, n_symbols)

    def forward(self, strips):
        out, _ = self.rnn(strips)
        return self.fc(out).log_softmax(dim=2)


ctc = nn.CTCLoss(blank=0)
ocr = OCR(20)
strips = torch.randn(4, 50, 16)
texts = torch.randint(1, 20, (4, 8))
input_lengths = torch.full((4,), 50)
target_lengths = torch.tensor([8, 5, 7, 8])
log_probs = ocr(strips)
loss = ctc(log_probs, texts, input_lengths, target_lengths)
loss.backward()
