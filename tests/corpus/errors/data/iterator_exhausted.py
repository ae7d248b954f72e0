import torch
from torch.utils.data import DataLoader, TensorDataset

labeled = DataLoader(TensorDataset(torch.randn(40, 4), torch.randint(0, 2, (40,))), batch_size=10)
unlabeled = DataLoader(TensorDataset(torch.randn(200, 4)), batch_size=10)
classifier = torch.nn.Linear(4, 2)
optimizer = torch.optim.Adam(classifier.parameters())


def train_epoch():
    labeled_batches = iter(labeled)
    for (extra,) in unlabeled:
        inputs, labels = next(labeled_batches)
        supervised = torch.nn.functional.cross_entropy(classifier(inputs), labels)
        entropy = torch.distributions.Categorical(logits=classifier(extra)).entropy().mean()
        optimizer.zero_grad()
        (supervised + 0.1 * entropy).backward()
        optimizer.step()


train_epoch()
