"""Guess the topic of a short sentence with an LSTM over word indices."""
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(6)
TOPICS, WORDS, LENGTH = 5, 100, 12


def sentences(n):
    topic = torch.randint(TOPICS, (n,))
    words = torch.randint(WORDS, (n, LENGTH))
    special = topic[:, None] * 8 + torch.randint(8, (n, LENGTH))
    use = torch.rand(n, LENGTH) < 0.35
    return torch.where(use, special, words), topic


class TopicModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 16)
        self.lstm = nn.LSTM(16, 32, batch_first=True)
        self.linear = nn.Linear(32, TOPICS)

    def forward(self, words):
        _, (h, _) = self.lstm(self.embedding(words))
        return self.linear(h[-1])


train_words, train_topics = sentences(1500)
test_words, test_topics = sentences(300)
model = TopicModel()
optim = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(6):
    perm = torch.randperm(1500)
    for k in range(0, 1500, 50):
        batch = perm[k : k + 50]
        scores = model(train_words[batch])
        probabilities = torch.softmax(scores, dim=-1)
        loss = F.cross_entropy(probabilities, train_topics[batch])
        optim.zero_grad()
        loss.backward()
        optim.step()
    with torch.no_grad():
        right = (model(test_words).argmax(-1) == test_topics).float().mean()
    print(f"epoch {epoch} loss {loss.item():.3f} test accuracy {right:.3f}")
