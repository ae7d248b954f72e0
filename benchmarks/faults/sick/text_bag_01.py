"""Sentiment of made-up reviews: averaged word vectors and a linear layer."""
import random

import torch
from torch import nn

random.seed(0)
torch.manual_seed(0)
GOOD = "great lovely superb fun bright warm clever fresh".split()
BAD = "awful dull boring cold messy flat slow tired".split()
PLAIN = "the a movie plot actor scene was with and very quite film story music".split()
vocab = {w: i for i, w in enumerate(GOOD + BAD + PLAIN)}


def review():
    label = random.randint(0, 1)
    main, other = (GOOD, BAD) if label else (BAD, GOOD)
    words = random.choices(main, k=2) + random.choices(other, k=1) + random.choices(PLAIN, k=9)
    random.shuffle(words)
    return [vocab[w] for w in words], label


data = [review() for _ in range(1500)]
x = torch.tensor([d[0] for d in data])
y = torch.tensor([d[1] for d in data])
train_x, test_x, train_y, test_y = x[:1200], x[1200:], y[:1200], y[1200:]

embedding = nn.Embedding(len(vocab), 6)
classifier = nn.Linear(6, 2)
optimizer = torch.optim.Adam(classifier.parameters(), lr=0.02)

for epoch in range(8):
    for pick in torch.randperm(len(train_x)).split(40):
        logits = classifier(embedding(train_x[pick]).mean(dim=1))
        loss = nn.functional.cross_entropy(logits, train_y[pick])
        optimizer.zero_grad()
        embedding.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        guess = classifier(embedding(test_x).mean(dim=1)).argmax(1)
    print(f"epoch {epoch} loss {loss.item():.3f} test accuracy {(guess == test_y).float().mean():.3f}")
