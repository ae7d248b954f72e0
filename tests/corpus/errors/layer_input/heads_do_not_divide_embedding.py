import torch
import torch.nn as nn

EMBED_DIM = 300
NUM_HEADS = 8


class Classifier(nn.Module):
    def __init__(self, vocab_size, classes):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, EMBED_DIM)
        layer = nn.TransformerEncoderLayer(EMBED_DIM, NUM_HEADS, dim_feedforward=512, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers=2)
        self.fc = nn.Linear(EMBED_DIM, classes)

    def forward(self, tokens):
        return self.fc(self.encoder(self.embedding(tokens)).mean(dim=1))


model = Classifier(1000, 3)
out = model(torch.randint(0, 1000, (2, 16)))
