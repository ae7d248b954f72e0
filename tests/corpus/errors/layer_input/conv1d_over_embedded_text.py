import torch
import torch.nn as nn
import torch.nn.functional as F


class TextCNN(nn.Module):
    def __init__(self, vocab, embed_dim=64, n_filters=32, classes=4):
        super().__init__()
        self.emb = nn.Embedding(vocab, embed_dim)
        self.convs = nn.ModuleList(nn.Conv1d(embed_dim, n_filters, k) for k in (3, 4, 5))
        self.out = nn.Linear(3 * n_filters, classes)

    def forward(self, token_ids):
        embedded = self.emb(token_ids)
        pooled = [F.relu(conv(embedded)).max(dim=2).values for conv in self.convs]
        return self.out(torch.cat(pooled, dim=1))


textcnn = TextCNN(vocab=500)
sentences = torch.randint(0, 500, (8, 50))
logits = textcnn(sentences)
