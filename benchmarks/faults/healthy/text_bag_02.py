"""Which language is a made-up word from? Letter pairs, sparse embedding, two optimizers."""
import random

import torch
from torch import nn

random.seed(1)
torch.manual_seed(1)
SOUNDS = {0: ("ka to mi ru shi no ha", 4), 1: ("sch ein ung ber ach kel os", 3), 2: ("ell ino are ato zia ucci etta", 3)}


def word():
    label = random.randrange(3)
    parts, count = SOUNDS[label]
    text = "".join(random.choices(parts.split(), k=count))
    return torch.tensor([(ord(a) - 97) * 26 + ord(b) - 97 for a, b in zip(text, text[1:])]), label


def collate(items):
    lengths = torch.tensor([0] + [len(x) for x, _ in items[:-1]])
    return torch.cat([x for x, _ in items]), lengths.cumsum(0), torch.tensor([y for _, y in items])


words = [word() for _ in range(1500)]
train, test = words[:1200], collate(words[1200:])
bag = nn.EmbeddingBag(26 * 26, 16, mode="mean", sparse=True)
head = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3))
sparse = torch.optim.SparseAdam(bag.parameters(), lr=0.01)
dense = torch.optim.SGD(head.parameters(), lr=0.1)
for epoch in range(4):
    random.shuffle(train)
    for i in range(0, 1200, 40):
        codes, offsets, y = collate(train[i : i + 40])
        loss = nn.functional.cross_entropy(head(bag(codes, offsets)), y)
        for optimizer in (sparse, dense):
            optimizer.zero_grad()
        loss.backward()
        for optimizer in (sparse, dense):
            optimizer.step()
    with torch.no_grad():
        accuracy = (head(bag(test[0], test[1])).argmax(1) == test[2]).float().mean()
    print(f"epoch {epoch} loss {loss.item():.3f} accuracy {accuracy:.3f}")
