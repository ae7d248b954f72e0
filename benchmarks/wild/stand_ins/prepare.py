"""Writes the data files that a program looks for: `python prepare.py KIND PATH`; kinds: see the end."""

import io
import os
import pickle
import re
import sys
from pathlib import Path

import numpy as np


def text(path: Path) -> None:
    """English prose: what Python says about itself in `pydoc`."""
    from pydoc_data.topics import topics

    prose = "\n".join(topics[name] for name in sorted(topics))
    path.write_text(re.sub(r"[^\x20-\x7e\n]", "", re.sub(r"[ \t]+", " ", prose))[:400_000], encoding="utf-8")


def cora(folder: Path) -> None:
    """Papers of seven kinds with words that lean to their kind, which cite their own kind four times in five."""
    rng = np.random.RandomState(0)
    folder.mkdir(parents=True, exist_ok=True)
    papers, words, kinds = 1000, 300, 7
    kind = rng.randint(kinds, size=papers)
    likely = np.where(np.arange(words)[None] % kinds == np.arange(kinds)[:, None], 0.12, 0.03)
    has = rng.uniform(size=(papers, words)) < likely[kind]
    has[np.arange(papers), kind] = True
    lines = [f"{i}\t" + "\t".join(map(str, has[i].astype(int))) + f"\tkind{kind[i]}" for i in range(papers)]
    (folder / "cora.content").write_text("\n".join(lines) + "\n", encoding="utf-8")
    cites = []
    for paper in range(papers):
        for _ in range(2):
            near = np.flatnonzero(kind == kind[paper]) if rng.uniform() < 0.8 else np.arange(papers)
            cites.append(f"{paper}\t{rng.choice(near)}")
    (folder / "cora.cites").write_text("\n".join(cites) + "\n", encoding="utf-8")


def images(folder: Path) -> None:
    """CIFAR-10 photographs as files, one folder a class."""
    from PIL import Image

    file = np.load(Path(os.environ["TORCHCLINIC_DATA"]) / "cifar10" / "train.npz", allow_pickle=False)
    jpeg, starts, labels, classes = (file[name] for name in ("jpeg", "offsets", "labels", "classes"))
    for index in range(int(os.environ.get("WILD_ROWS", "2000,500").split(",")[0])):
        place = folder / str(classes[labels[index]])
        place.mkdir(parents=True, exist_ok=True)
        Image.open(io.BytesIO(jpeg[starts[index] : starts[index + 1]].tobytes())).save(place / f"{index}.jpg")


def bins(folder: Path) -> None:
    """The prose as numbers of characters, in two files, with the alphabet."""
    folder.mkdir(parents=True, exist_ok=True)
    text(folder / "input.txt")
    prose = (folder / "input.txt").read_text(encoding="utf-8")
    letters = sorted(set(prose))
    number = {letter: index for index, letter in enumerate(letters)}
    codes = np.array([number[letter] for letter in prose], np.uint16)
    codes[: len(codes) * 9 // 10].tofile(folder / "train.bin")
    codes[len(codes) * 9 // 10 :].tofile(folder / "val.bin")
    about = {"vocab_size": len(letters), "itos": dict(enumerate(letters)), "stoi": number}
    (folder / "meta.pkl").write_bytes(pickle.dumps(about))


def binary(path: Path) -> None:
    """Digits as rows of 784 zeros and ones, in one file with `train_data` and `valid_data`."""
    from torchvision.datasets import MNIST

    parts = {name: MNIST(train=name == "train").data.reshape(-1, 784).numpy() > 127 for name in ("train", "valid")}
    np.savez(path, **{f"{name}_data": part.astype(np.float32) for name, part in parts.items()})


def processed(folder: Path) -> None:
    """Digits and labels as torchvision once kept them: training.pt and test.pt."""
    import torch
    from torchvision.datasets import MNIST

    folder.mkdir(parents=True, exist_ok=True)
    for name, train in (("training", True), ("test", False)):
        digits = MNIST(train=train)
        torch.save((digits.data, digits.targets), folder / f"{name}.pt")


if __name__ == "__main__":
    target = Path(sys.argv[2])
    target.parent.mkdir(parents=True, exist_ok=True)
    {"text": text, "cora": cora, "images": images, "bins": bins, "binary": binary, "processed": processed}[sys.argv[1]](target)
