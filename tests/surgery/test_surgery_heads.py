"""Heads and stems. The networks here are small stand-ins with the interfaces of torchvision, timm and transformers."""

import copy

import pytest
import torch
from torch import nn

import torchclinic as tc
from torchclinic.errors import InputError
from torchclinic.models.resnet import BasicBlock, CifarResNet, ResNet
from torchclinic.surgery.heads import find_head


class Vgg(nn.Module):  # stands in for torchvision.models.VGG / AlexNet
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.avgpool = nn.AdaptiveAvgPool2d(2)
        self.classifier = nn.Sequential(nn.Linear(32, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 10))

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


class DenseNet(nn.Module):  # stands in for torchvision.models.DenseNet: functional ReLU and pooling
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
        self.classifier = nn.Linear(8, 10)

    def forward(self, x):
        x = nn.functional.relu(self.features(x), inplace=True)
        return self.classifier(torch.flatten(nn.functional.adaptive_avg_pool2d(x, (1, 1)), 1))


class SqueezeNet(nn.Module):  # stands in for torchvision.models.SqueezeNet: a 1x1 convolution, then ReLU and pooling
    def __init__(self):
        super().__init__()
        self.num_classes = 10
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU())
        self.classifier = nn.Sequential(nn.Dropout(), nn.Conv2d(8, 10, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1))

    def forward(self, x):
        return self.classifier(self.features(x)).view(x.size(0), self.num_classes)


class Inception(nn.Module):  # stands in for torchvision's Inception/GoogLeNet: an auxiliary classifier in training only
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.aux = nn.Linear(8, 10)
        self.body = nn.Conv2d(8, 8, 3)
        self.fc = nn.Linear(8, 10)

    def forward(self, x):
        x = self.stem(x)
        aux = self.aux(x.mean((2, 3))) if self.training else None
        x = self.fc(self.body(x).mean((2, 3)))
        return (x, aux) if self.training else x


class Timm(nn.Module):  # stands in for a timm model: num_classes, get_classifier, forward_features / forward_head
    def __init__(self):
        super().__init__()
        self.num_classes = 10
        self.stem = nn.Conv2d(3, 8, 4, stride=4)
        self.norm = nn.LayerNorm(8)
        self.head_drop = nn.Dropout(0.1)
        self.head = nn.Linear(8, 10)

    def get_classifier(self):
        return self.head

    def forward_features(self, x):
        if x.shape[-1] % 4 or float(x.abs().sum()) < 0:  # depends on values: no symbolic trace
            raise ValueError
        return self.norm(self.stem(x).flatten(2).transpose(1, 2))

    def forward(self, x):
        return self.head(self.head_drop(self.forward_features(x).mean(1)))


class Transformer(nn.Module):  # stands in for transformers' ...ForSequenceClassification
    class Config:
        num_labels = 10

    def __init__(self, second=False):
        super().__init__()
        self.config = self.Config()
        self.num_labels = 10
        self.bert = nn.ModuleDict({"embeddings": nn.Embedding(30, 8), "pooler": nn.Linear(8, 8)})
        self.classifier = nn.Linear(8, 10)
        if second:
            self.score = nn.Linear(8, 10)

    def forward(self, input_ids=None, labels=None):
        if input_ids is None:
            raise ValueError("You have to specify input_ids")
        if int(input_ids.max()) >= 30:
            raise ValueError
        hidden = torch.tanh(self.bert["pooler"](self.bert["embeddings"](input_ids)[:, 0]))
        return {"logits": self.classifier(hidden), "hidden": hidden}


def sequential():
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 10), nn.LogSoftmax(1))


IMAGE = torch.zeros(2, 3, 32, 32)
ONE_HEAD = [
    (lambda: CifarResNet(8), "fc", "trace", IMAGE),
    (lambda: ResNet(BasicBlock, [1, 1, 1, 1]), "fc", "trace", IMAGE),
    (Vgg, "classifier.3", "trace", IMAGE),
    (DenseNet, "classifier", "trace", IMAGE),
    (SqueezeNet, "classifier.1", "trace", IMAGE),
    (Timm, "head", "structure", IMAGE),
    (Transformer, "classifier", "structure", {"input_ids": torch.zeros(2, 3, dtype=torch.int64)}),
    (sequential, "3", "trace", torch.zeros(2, 3, 2, 2)),
]


def call(model, example):
    output = model(**example) if isinstance(example, dict) else model(example)
    return output["logits"] if isinstance(output, dict) else output


@pytest.mark.parametrize(("build", "path", "found_by", "example"), ONE_HEAD)
def test_replace_head_finds_the_classifier_and_nothing_else_changes(build, path, found_by, example):
    model = build()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = {name: module.training for name, module in model.named_modules()}
    result = tc.replace_head(model, 2)
    assert (result.path, result.found_by) == (path, found_by)
    assert result.new is model.get_submodule(path)
    assert call(model.eval(), example).shape[:2] == (2, 2)
    model.train()
    assert {name: module.training for name, module in model.named_modules()} == modes
    others = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith(f"{path}.")}
    assert all(torch.equal(before[name], tensor) for name, tensor in others.items() if "running" not in name)


@pytest.mark.parametrize(("build", "path", "found_by", "example"), ONE_HEAD)
def test_a_run_on_an_example_finds_the_same_classifier_and_leaves_no_trace(build, path, found_by, example):
    model = build()
    model.requires_grad_(False)
    before = copy.deepcopy(model.state_dict())
    random = torch.get_rng_state()
    assert find_head(model, example) == (path, "run")
    assert torch.get_rng_state().equal(random)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())
    assert model.training


@pytest.mark.parametrize("training", [True, False])
def test_two_candidates_are_named_and_the_user_is_asked_whatever_the_mode(training):
    model = Inception().train(training)
    with pytest.raises(InputError, match=r"(fc and aux|aux and fc).*path="):
        tc.replace_head(model, 2)
    assert model.training is training
    tc.replace_head(model, 2, path="fc")
    tc.replace_head(model, 2, path="aux")
    assert [output.shape[1] for output in model.train()(IMAGE)] == [2, 2]


def test_two_names_without_a_trace_are_asked_about():
    with pytest.raises(InputError, match="classifier and score"):
        tc.replace_head(Transformer(second=True), 2)
    assert tc.replace_head(Transformer(second=True), 2, example={"input_ids": torch.zeros(1, 2).long()}).path == "classifier"


def test_counts_of_classes_kept_as_attributes_follow():
    model = Transformer()
    result = tc.replace_head(model, 3)
    assert model.num_labels == model.config.num_labels == 3
    assert "num_labels: 10 → 3." in result.notes
    assert len(result.notes) == 2


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_dtype_bias_and_mode_stay_and_the_new_head_trains(bias, dtype):
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 10, bias=bias)).to(dtype).eval().requires_grad_(False)
    new = tc.replace_head(model, 3).new
    assert new.weight.dtype == dtype
    assert (new.bias is not None) is bias
    assert not new.training
    assert new.weight.requires_grad
    assert not model[0].weight.requires_grad


def test_device_stays():
    model = nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 10)).to("meta")
    assert tc.replace_head(model, 3).new.weight.is_meta


def test_new_weights_have_variance_one_over_fan_in():
    torch.manual_seed(0)
    n, fan_in = 500, 400
    new = tc.replace_head(nn.Sequential(nn.Linear(4, fan_in), nn.Linear(fan_in, 10)), n).new
    variance = new.weight.var().item() * fan_in
    assert abs(variance - 1) < 5 * (2 / (n * fan_in)) ** 0.5  # five standard errors of a variance of normals
    assert not new.bias.any()


def test_an_embedding_next_to_the_logits_is_not_a_second_candidate():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Linear(4, 6)
            self.top = nn.Linear(6, 10)

        def forward(self, x):
            features = self.embed(x)
            return self.top(features.relu()), features

    assert tc.replace_head(Net(), 2).path == "top"
    assert tc.replace_head(Net(), 2, example=torch.ones(1, 4)).path == "top"


def test_an_output_that_comes_out_of_a_normalization_is_refused_with_its_path():
    with pytest.raises(InputError, match=r"comes from 1, which is no linear layer"):
        tc.replace_head(nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6)), 2)


def test_a_learned_scalar_on_the_logits_does_not_hide_the_head():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.top = nn.Linear(4, 6)
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, x):
            return self.scale * self.top(x)

    assert tc.replace_head(Scaled(), 2).path == "top"
    assert tc.replace_head(Scaled(), 2, example=torch.ones(1, 4)).path == "top"


def test_a_hand_made_projection_is_not_skipped_over():
    class Projected(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Linear(4, 6)
            self.matrix = nn.Parameter(torch.ones(6, 10))

        def forward(self, x):
            return self.body(x) @ self.matrix

    for example in (None, torch.ones(1, 4)):
        with pytest.raises(InputError, match="comes from matrix"):
            tc.replace_head(Projected(), 2, example=example)


def test_tied_weights_are_reported():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(10, 4)
            self.top = nn.Linear(4, 10, bias=False)
            self.top.weight = self.embedding.weight

        def forward(self, x):
            return self.top(self.embedding(x))

    model = Tied()
    assert tc.replace_head(model, 2).notes == ("embedding.weight was tied to the old head and is so no longer.",)
    assert model.embedding.weight.shape == (10, 4)


@pytest.mark.parametrize(
    ("model", "arguments", "message"),
    [
        (nn.Linear(4, 2), {}, "wrap it in nn.Sequential"),
        (nn.Sequential(nn.ReLU()), {}, "has no linear layer"),
        (nn.Sequential(nn.Linear(4, 2)), {"num_classes": 0}, "num_classes is 0"),
        (nn.Sequential(nn.Linear(4, 2)), {"path": "7"}, "has no module '7'"),
        (nn.Sequential(nn.Linear(4, 2), nn.ReLU()), {"path": "1"}, "is a ReLU"),
        (nn.Sequential(nn.LazyLinear(2)), {}, "lazy"),
    ],
)
@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_bad_requests_get_one_sentence(model, arguments, message):
    with pytest.raises(InputError, match=message):
        tc.replace_head(model, **{"num_classes": 2, **arguments})


def test_cutting_the_head_yields_the_features_it_received():
    model = CifarResNet(8).eval()
    received = []
    model.fc.register_forward_pre_hook(lambda _, inputs: received.append(inputs[0]))
    images = torch.randn(2, 3, 32, 32)
    model(images)
    tc.cut_head(model)
    assert torch.equal(model(images), received[0])


@pytest.mark.parametrize("build", [lambda: CifarResNet(8), lambda: ResNet(BasicBlock, [1, 1, 1, 1])])
def test_a_grey_stem_answers_grey_images_as_the_colour_stem_did(build):
    model = build().double().eval()
    grey = torch.randn(2, 1, 32, 32, dtype=torch.float64)
    expected = model(grey.expand(2, 3, 32, 32))
    assert tc.replace_stem(model, 1).path == "conv1"
    torch.testing.assert_close(model(grey), expected)


def test_more_channels_keep_the_response_to_grey_too():
    model = CifarResNet(8).double().eval()
    grey = torch.randn(2, 1, 32, 32, dtype=torch.float64)
    expected = model(grey.expand(2, 3, 32, 32))
    tc.replace_stem(model, 5)
    torch.testing.assert_close(model(grey.expand(2, 5, 32, 32)), expected)


def test_the_stem_for_small_images_keeps_the_resolution():
    model = ResNet(BasicBlock, [1, 1, 1, 1])
    result = tc.replace_stem(model, 1, small_images=True)
    shapes = []
    model.layer1.register_forward_pre_hook(lambda _, inputs: shapes.append(inputs[0].shape))
    model(torch.randn(2, 1, 32, 32))
    assert shapes == [(2, 64, 32, 32)]
    assert any("maxpool" in note for note in result.notes)


def test_stems_that_are_not_one_convolution_are_refused():
    with pytest.raises(InputError, match="Conv2d"):
        tc.replace_stem(nn.Sequential(nn.Linear(4, 2)), 1)
    with pytest.raises(InputError, match="in_channels is 0"):
        tc.replace_stem(CifarResNet(8), 0)
