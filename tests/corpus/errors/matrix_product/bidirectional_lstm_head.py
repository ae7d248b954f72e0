import torch
import torch.nn as nn


class SentimentLSTM(nn.Module):
    def __init__(self, vocab_size, embed_dim, hidden_dim, num_classes):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_dim)
        self.lstm = nn.LSTM(embed_dim, hidden_dim, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(hidden_dim, num_classes)

    def forward(self, text):
        embedded = self.embedding(text)
        output, _ = self.lstm(embedded)
        last = output[:, -1]
        return self.fc(last)


model = SentimentLSTM(1000, 50, 64, 2)
reviews = torch.randint(0, 1000, (8, 40))
scores = model(reviews)
