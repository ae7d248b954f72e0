import torch


def encode(words, alphabet):
    return [[alphabet.index(letter) + 1 for letter in word] for word in words]


def to_tensor(words, alphabet):
    codes = encode(words, alphabet)
    return torch.tensor(codes)


names = ["anna", "elena", "kim"]
batch = to_tensor(names, "abcdefghijklmnopqrstuvwxyz")
one_hot = torch.nn.functional.one_hot(batch, 27)
