import torch

vocab = {"<pad>": 0, "the": 1, "cat": 2, "sleeps": 3, "runs": 4, "dog": 5}
texts = ["the cat sleeps", "dog runs", "the dog runs"]


def encode(text):
    return [vocab[word] for word in text.split()]


ids = [encode(text) for text in texts]
batch = torch.tensor(ids)
embedding = torch.nn.Embedding(len(vocab), 8)
vectors = embedding(batch)
