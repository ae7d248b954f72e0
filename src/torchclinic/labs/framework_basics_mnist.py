"""Can a network be trained by hand, and is every number on the way predictable?

    torchclinic lab framework-basics-mnist [--data mnist]

A multilayer perceptron as a custom module, the manual loop, and the mathematics behind each of its lines.
Sources: Bishop 2006, Pattern Recognition and Machine Learning, eq. 4.109 (gradient of softmax cross-entropy); He et al.
2015, arXiv:1502.01852, eq. 7 (mean squares); Guo et al. 2017, arXiv:1706.04599, eq. 3 (calibration error).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from torchclinic.data import load_mnist, normalize
from torchclinic.labs.lab import Lab
from torchclinic.labs.pictures import show_layers, show_training
from torchclinic.training import evaluate
from torchclinic.training.reporting import evaluation_blocks

PIXELS, HIDDEN_1, HIDDEN_2, CLASSES = 784, 256, 128, 10
BATCH = 128  # images per step
LEARNING_RATE = 0.1  # plain SGD
EPOCHS = {"subset": 24, "mnist": 8}
ACCURACY = {"subset": 0.92, "mnist": 0.97}  # what an MLP of this size is expected to reach at least
EPSILON = torch.finfo(torch.float32).eps


class Perceptron(nn.Module):
    """784 -> 256 -> 128 -> 10. Images [B, 1, 28, 28] in, logits [B, 10] out: no softmax, the loss applies it."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden1 = nn.Linear(PIXELS, HIDDEN_1)
        self.hidden2 = nn.Linear(HIDDEN_1, HIDDEN_2)
        self.output = nn.Linear(HIDDEN_2, CLASSES)

    def features(self, images: Tensor) -> Tensor:
        x = images.view(len(images), PIXELS)  # the same memory, read as rows
        return F.relu(self.hidden2(F.relu(self.hidden1(x))))

    def forward(self, images: Tensor) -> Tensor:
        return self.output(self.features(images))  # type: ignore[no-any-return]


def run(lab: Lab) -> None:
    torch.manual_seed(lab.seed)
    data = load_mnist("mnist" if lab.options.data == "mnist" else "subset", lab.options.data_dir)
    model = Perceptron()
    images, labels = normalize(data.train_images[:BATCH]), data.train_labels[:BATCH]

    lab.section("From picture to vector")
    lab.prose(f"""`{data.name}`: {len(data.train_labels):,} training and {len(data.test_labels):,} test images. A Linear
        layer wants rows of 784 numbers. `view` gives them by reading the same memory with other strides.""")
    flat = images.view(BATCH, PIXELS)
    moved = flat.data_ptr() - images.data_ptr()
    lab.claim(
        "view-address", "28×28 → 784 by `view` starts at the same address", predicted=0, measured=moved, unit="bytes"
    )
    stride = (flat[3, 28 * 5 + 7].data_ptr() - images.data_ptr()) // images.element_size()
    lab.claim(
        "view-element", "Pixel (row 5, column 7) of image 3 lies 3·784 + 5·28 + 7 elements behind the first",
        predicted=3 * PIXELS + 5 * 28 + 7, measured=stride, unit="elements",
    )
    copied = images.transpose(2, 3).reshape(BATCH, PIXELS).data_ptr() != images.data_ptr()
    lab.claim("reshape-copies", "Of the transposed images, `reshape` has to copy", predicted=True, measured=copied)
    parameters = sum(p.numel() for p in model.parameters())
    layers = ((PIXELS, HIDDEN_1), (HIDDEN_1, HIDDEN_2), (HIDDEN_2, CLASSES))
    expected = sum((n_in + 1) * n_out for n_in, n_out in layers)
    lab.claim("parameters", "Parameters: Σ (inputs + 1)·outputs", predicted=expected, measured=parameters)

    lab.section("Before training")
    lab.prose("""An untrained network knows nothing: ten equal probabilities cost log 10 each. PyTorch draws weights and
        biases from U(−1/√n, 1/√n), variance 1/(3n), and a ReLU halves the mean square, so the logits scatter with the
        variance q computed here. Scattered logits add q/2 to the loss; ten class offsets of that size add noise of
        √(q/10). The tolerance is q/2 + 3·√(q/10).""")
    q = float(images.square().mean())
    for n_in, _ in layers:
        q = q / 3 + 1 / (3 * n_in)
        q_logits, q = q, q / 2
    with torch.no_grad():
        first_loss = F.cross_entropy(model(images), labels).item()
    lab.claim(
        "initial-loss", "The first loss is log 10", predicted=math.log(CLASSES), measured=first_loss, relation="≈",
        tolerance=q_logits / 2 + 3 * math.sqrt(q_logits / CLASSES), unit="nats", source="−log(1/C); He 2015, eq. 7",
    )

    lab.section("One backward pass, in closed form")
    model.zero_grad()
    F.cross_entropy(model(images), labels).backward()
    with torch.no_grad():
        h = model.features(images)  # [B, 128]
        delta = (model.output(h).softmax(1) - F.one_hot(labels, CLASSES)) / BATCH  # ∂L/∂logits, [B, 10]
    gradient = _gradient(model.output.weight)
    rounding = 2 * BATCH * EPSILON * (delta.abs().T @ h).max().item()  # two sums of B products, each rounded
    lab.claim(
        "last-layer-gradient", "Autograd's gradient of the last layer is (softmax − onehot)ᵀ·h / B",
        predicted=0.0, measured=(gradient - delta.T @ h).abs().max().item(), relation="≈", tolerance=rounding,
        source="Bishop 2006, eq. 4.109", note="largest difference; the tolerance bounds the rounding of two sums of B terms",
    )
    F.cross_entropy(model(images), labels).backward()
    lab.claim(
        "gradients-add-up", "A second backward without clearing doubles the gradient, bit for bit",
        predicted=True, measured=torch.equal(_gradient(model.output.weight), 2 * gradient), note="this is why the loop clears it",
    )

    lab.section("One step, bit for bit")
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    before = [p.detach().clone() for p in model.parameters()]
    optimizer.step()
    by_hand = [w.add(_gradient(p), alpha=-LEARNING_RATE) for w, p in zip(before, model.parameters(), strict=True)]
    differing = sum(int((w != p).sum()) for w, p in zip(by_hand, model.parameters(), strict=True))
    lab.claim(
        "sgd-step", "One SGD step adds −lr·gradient", predicted=0, measured=differing, unit="differing parameters"
    )

    lab.section("The loop, by hand")
    curve: list[tuple[float, float]] = []
    order = torch.Generator().manual_seed(lab.seed)
    epochs = EPOCHS[lab.options.data]
    for _ in range(epochs):
        for index in torch.randperm(len(data.train_labels), generator=order).split(BATCH):
            logits = model(normalize(data.train_images[index]))  # forward
            loss = F.cross_entropy(logits, data.train_labels[index])  # loss
            optimizer.zero_grad()  # zero: or the last batch's gradient is added to this one's
            loss.backward()  # backward
            optimizer.step()  # step
            curve.append((len(curve), loss.item()))
    show_training(lab, "Loss of the training batches", curve)
    show_layers(lab, model, data.train_images[:BATCH], labels)

    lab.section("What it has learned")
    result = evaluate(model, data.test_images, data.test_labels)
    lab.claim(
        "accuracy", f"After {epochs} epochs: accuracy on {len(data.test_labels):,} test images",
        predicted=ACCURACY[lab.options.data], measured=result.accuracy, relation="≥",
        note=f"calibration error {result.calibration_error:.3f}; one run, seed {lab.seed}",
    )
    counted = result.confusion.diagonal().sum().item() / len(data.test_labels)
    lab.claim("confusion", "The diagonal of the confusion is the accuracy", predicted=counted, measured=result.accuracy)
    lab.blocks(evaluation_blocks(model, data, result))


def _gradient(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad.clone()
