"""Checkpoint X-ray against what torch and safetensors read from the same files (all made here)."""

import collections
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

import torchclinic as tc
from torchclinic.checkpoints.dtypes import ITEM_SIZES
from torchclinic.checkpoints.values import JUDGED
from torchclinic.errors import CheckpointError
from torchclinic.models.resnet import CifarResNet

LEGACY = [False, True]


def save(value, path, legacy=False):
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    return path


def assert_described(entry, tensor, content):
    """The entry has torch's geometry, and its offset in the file is where the first element lies."""
    assert entry.shape == tuple(tensor.shape)
    assert entry.stride == tensor.stride()
    assert entry.offset == tensor.storage_offset()
    assert entry.dtype == str(tensor.dtype).removeprefix("torch.")
    assert entry.nbytes == tensor.numel() * tensor.element_size()
    assert entry.storage_nbytes == tensor.untyped_storage().nbytes()
    if tensor.numel():
        first = torch.zeros(1, dtype=tensor.dtype).copy_(tensor.reshape(-1)[:1]).view(torch.uint8).numpy().tobytes()
        assert content[entry.file_offset : entry.file_offset + len(first)] == first


@pytest.mark.parametrize("legacy", LEGACY)
def test_every_tensor_is_described_as_torch_loads_it(tmp_path, legacy):
    model = CifarResNet(8)
    path = save(model.state_dict(), tmp_path / "m.pth", legacy)
    found, loaded = tc.inspect_checkpoint(path), torch.load(path)
    assert list(found.tensors) == list(loaded)
    for name, tensor in loaded.items():
        assert_described(found.tensors[name], tensor, path.read_bytes())
    assert (found.kind, found.format) == ("state dict", "legacy" if legacy else "zip")
    assert not found.foreign_globals
    assert found.wasted_bytes == 0
    assert not found.warnings


@pytest.mark.parametrize("legacy", LEGACY)
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_pickle_protocol_is_read(tmp_path, legacy, protocol):
    state = {"a": torch.arange(3.0), "b": {"c": nn.Parameter(torch.ones(2, 2))}, "n": 3, "f": 0.5, "big": 2**70}
    path = tmp_path / "m.pth"
    torch.save(state, path, pickle_protocol=protocol, _use_new_zipfile_serialization=not legacy)
    found = tc.inspect_checkpoint(path)
    assert list(found.tensors) == ["a", "b.c"]
    assert found.tensors["b.c"].requires_grad
    assert_described(found.tensors["b.c"], state["b"]["c"].detach(), path.read_bytes())


def views():
    """A view of a small storage: any slice, permutation or expansion."""

    @st.composite
    def build(draw):
        base = torch.arange(draw(st.integers(1, 48)), dtype=draw(st.sampled_from([torch.float32, torch.int16])))
        dims = draw(st.integers(0, 3))
        size = [draw(st.integers(0, 3)) for _ in range(dims)]
        stride = [draw(st.integers(0, 5)) for _ in range(dims)]
        reach = sum((n - 1) * s for n, s in zip(size, stride, strict=True)) if 0 not in size else -1
        free = len(base) - reach - 1
        if free < 0:
            return base
        return base.as_strided(size, stride, draw(st.integers(0, free)))

    return build()


@given(st.lists(views(), min_size=1, max_size=4), st.booleans())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_strided_views_are_described_as_torch_loads_them(tmp_path, tensors, legacy):
    state = {f"t{index}": tensor for index, tensor in enumerate(tensors)}
    state["again"] = tensors[0]
    path = save(state, tmp_path / "m.pth", legacy)
    found, loaded = tc.inspect_checkpoint(path), torch.load(path)
    for name, tensor in loaded.items():
        assert_described(found.tensors[name], tensor, path.read_bytes())
        values = found.tensors[name].values
        assert (values is None) == (tensor.numel() == 0)
        if tensor.numel():
            assert values.zero == (not tensor.any().item())
    if tensors[0].numel():
        assert any({"t0", "again"} <= set(group) for group in found.aliases)
    if lone(tensors):
        assert found.wasted_bytes == slow_waste(loaded)


def lone(tensors):
    """Whether no dimension of the first tensor overlaps another and it is the only one."""
    return len(tensors) == 1 and len(byte_indices(tensors[0])) == len(elements(tensors[0])) * tensors[0].element_size()


def elements(tensor):
    """The storage indices of a tensor's elements, without repetition by dimensions of stride 0."""
    kept = [(n, s) for n, s in zip(tensor.shape, tensor.stride(), strict=True) if s]
    if 0 in tensor.shape:
        return []
    indices = [tensor.storage_offset()]
    for n, step in kept:
        indices = [index + step * i for index in indices for i in range(n)]
    return indices


def byte_indices(tensor):
    size = tensor.element_size()
    return {index * size + byte for index in elements(tensor) for byte in range(size)}


def slow_waste(state):
    """The twin: a set of byte indices per storage."""
    used, sizes = collections.defaultdict(set), {}
    for tensor in state.values():
        key = tensor.untyped_storage().data_ptr()
        used[key] |= byte_indices(tensor)
        sizes[key] = tensor.untyped_storage().nbytes()
    return sum(sizes[key] - len(used[key]) for key in sizes if used[key])


@pytest.mark.parametrize("legacy", LEGACY)
def test_a_slice_that_carries_its_storage_is_counted_to_the_byte(tmp_path, legacy):
    whole = torch.ones(1000, 10)
    whole[0] = 2
    found = tc.inspect_checkpoint(save({"rows": whole[:7], "own": torch.arange(3)}, tmp_path / "m.pth", legacy))
    assert found.wasted_bytes == 993 * 10 * 4
    assert any(f.code == "SHP007" and f.severity == "warning" for f in found.findings)


def test_aliases_and_tied_weights_are_grouped_and_disjoint_views_are_not(tmp_path):
    weight = torch.arange(12.0).reshape(4, 3)
    state = {"in": weight, "out": weight, "top": weight[:2], "free": weight.clone()}
    halves = torch.arange(10.0)
    state |= {"left": halves[:5], "right": halves[5:]}
    found = tc.inspect_checkpoint(save(state, tmp_path / "m.pth"))
    assert [set(group) for group in found.aliases] == [{"in", "out", "top"}]
    assert found.wasted_bytes == 0


@pytest.mark.parametrize("name", sorted(name for name in ITEM_SIZES if name[0] != "q"))
def test_every_dtype_is_read_with_its_size(tmp_path, name):
    tensor = torch.ones(16, dtype=torch.uint8).view(getattr(torch, name))
    path = save({"t": tensor}, tmp_path / "m.pth")
    entry = tc.inspect_checkpoint(path).tensors["t"]
    assert (entry.dtype, entry.nbytes) == (name, 16)
    assert path.read_bytes()[entry.file_offset :][:16] == b"\1" * 16


@pytest.mark.filterwarnings("ignore")
def test_quantized_tensors_are_listed_and_their_values_said_to_be_unchecked(tmp_path):
    tensor = torch.quantize_per_tensor(torch.ones(3, 2), 0.5, 0, torch.quint8)
    found = tc.inspect_checkpoint(save({"t": tensor}, tmp_path / "m.pth"))
    assert (found.tensors["t"].dtype, found.tensors["t"].shape) == ("quint8", (3, 2))
    assert [item.code for item in found.not_checked] == ["values"]


FLOATS = [name for name in sorted(JUDGED) if "float" in name]


@pytest.mark.parametrize("name", FLOATS)
def test_nan_and_infinity_are_counted_as_torch_counts_them_for_every_bit_pattern(tmp_path, name):
    dtype = getattr(torch, name)
    size = ITEM_SIZES[name]
    if size <= 2:
        integers = np.arange(2 ** (8 * size), dtype=f"u{size}")
        tensor = torch.from_numpy(integers).view(dtype)
    else:
        random = np.random.default_rng(0).integers(0, 256, size * 5000, dtype=np.uint8)
        tensor = torch.from_numpy(random).view(dtype).clone()
        tensor[:5] = torch.tensor([float("nan"), float("inf"), float("-inf"), 0.0, -0.0])
    values = tc.inspect_checkpoint(save({"t": tensor}, tmp_path / "m.pth")).tensors["t"].values
    wide = tensor.to(torch.float64)
    assert values.nan == int(wide.isnan().sum())
    assert values.inf == int(wide.isinf().sum())
    assert not values.zero
    assert not values.constant


@pytest.mark.parametrize("name", sorted(JUDGED))
def test_constants_and_zeros_are_told_apart(tmp_path, name):
    dtype = getattr(torch, name)
    same = torch.full((3, 5), 1.0).to(dtype)
    zero = torch.zeros(3, 5).to(dtype)
    mixed = torch.tensor([[0.0, 1.0]] * 3).to(dtype)
    found = tc.inspect_checkpoint(save({"same": same, "zero": zero, "mixed": mixed}, tmp_path / "m.pth")).tensors
    assert not found["mixed"].values.constant
    if name not in ("float8_e8m0fnu", "complex64", "complex128"):  # no zero; judged by real and imaginary parts
        assert found["same"].values.constant
        assert found["zero"].values.zero
        assert not found["same"].values.zero


def test_values_of_a_tensor_with_gaps_are_its_own(tmp_path):
    whole = torch.zeros(6, 4)
    whole[:, 3] = float("nan")
    found = tc.inspect_checkpoint(save({"left": whole[:, :3], "right": whole[:, 3]}, tmp_path / "m.pth")).tensors
    assert found["left"].values.finite
    assert found["left"].values.zero
    assert found["right"].values.nan == 6


def test_safetensors_are_described_as_safetensors_reads_them(tmp_path):
    state = {"a": torch.randn(3, 4), "b": torch.arange(5), "h": torch.ones(2, dtype=torch.bfloat16), "e": torch.ones(0)}
    path = tmp_path / "m.safetensors"
    save_file(state, path, metadata={"format": "pt"})
    found = tc.inspect_checkpoint(path)
    assert set(found.tensors) == set(state)
    for name, tensor in state.items():
        entry = found.tensors[name]
        assert (entry.shape, entry.stride) == (tuple(tensor.shape), tensor.stride())
        raw = tensor.contiguous().view(torch.uint8).numpy().tobytes() if tensor.numel() else b""
        assert path.read_bytes()[entry.file_offset : entry.file_offset + entry.nbytes] == raw
    assert found.metadata == {"format": "pt"}
    assert (found.format, found.wasted_bytes) == ("safetensors", 0)
    assert not found.aliases


def trained():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return model, optimizer


def test_kinds_of_checkpoints_are_told_apart(tmp_path):
    model, optimizer = trained()
    state, opt = model.state_dict(), optimizer.state_dict()
    cases = {
        "state dict": state,
        "optimizer state": opt,
        "training checkpoint": {"epoch": 3, "model": state, "optimizer": opt, "model_ema": state},
        "Lightning checkpoint": {"pytorch-lightning_version": "2.5", "state_dict": state, "optimizer_states": [opt]},
        "whole model": model,
        "single tensor": torch.ones(2),
        "list": [torch.ones(2), torch.ones(3)],
        "no tensors": {"epoch": 3},
    }
    for kind, value in cases.items():
        found = tc.inspect_checkpoint(save(value, tmp_path / "m.pth"))
        assert found.kind == kind
        if kind in ("training checkpoint", "Lightning checkpoint"):
            assert list(found.state_dict()) == list(state)
        if kind == "training checkpoint":
            assert found.parts == {"model": "weights", "optimizer": "optimizer state", "model_ema": "moving average of the weights"}


def test_a_whole_model_lists_the_names_of_its_state_dict_and_the_classes_it_would_import(tmp_path):
    model = CifarResNet(8)
    found = tc.inspect_checkpoint(save(model, tmp_path / "m.pth"))
    assert set(found.tensors) == set(model.state_dict())
    assert "torchclinic.models.resnet.CifarResNet" in found.foreign_globals
    assert "collections.OrderedDict" not in found.foreign_globals


@pytest.mark.parametrize(
    ("prefix", "known"),
    [("module.", ["module."]), ("_orig_mod.", ["_orig_mod."]), ("module._orig_mod.", ["module.", "_orig_mod."])],
)
def test_prefixes_are_recognized(tmp_path, prefix, known):
    state = {f"{prefix}{name}": tensor for name, tensor in nn.Linear(2, 2).state_dict().items()}
    assert list(tc.inspect_checkpoint(save(state, tmp_path / "m.pth")).prefixes) == known


def test_sharded_files_are_merged_and_a_wrong_index_is_reported(tmp_path):
    save_file({"a": torch.ones(2), "b": torch.zeros(3)}, tmp_path / "x-1.safetensors")
    save_file({"c": torch.ones(4)}, tmp_path / "x-2.safetensors")
    index = {"weight_map": {"a": "x-1.safetensors", "b": "x-1.safetensors", "c": "x-2.safetensors"}}
    path = tmp_path / "x.safetensors.index.json"
    path.write_text(json.dumps(index))
    for place in (path, tmp_path):
        found = tc.inspect_checkpoint(place)
        assert {name: entry.file for name, entry in found.tensors.items()} == index["weight_map"]
        assert found.kind == "sharded state dict"
        assert not found.warnings
    index["weight_map"]["a"] = "x-2.safetensors"
    path.write_text(json.dumps(index))
    assert any("'a' in x-2.safetensors, where it is not" in text for text in tc.inspect_checkpoint(path).warnings)


def test_a_folder_of_several_checkpoints_lists_them_all(tmp_path):
    save({"w": torch.ones(2)}, tmp_path / "a.pth")
    save_file({"w": torch.ones(3)}, tmp_path / "b.safetensors")
    found = tc.inspect_checkpoint(tmp_path)
    assert list(found.tensors) == ["a.pth:w", "b.safetensors:w"]
    assert found.kind == "folder"


def test_a_flipped_bit_in_the_weights_is_found_by_the_checksum(tmp_path):
    path = save({"w": torch.rand(1000)}, tmp_path / "m.pth")
    content = bytearray(path.read_bytes())
    content[tc.inspect_checkpoint(path).tensors["w"].file_offset + 17] ^= 1
    path.write_bytes(content)
    assert any("checksum" in text for text in tc.inspect_checkpoint(path).warnings)
    assert not tc.inspect_checkpoint(path, values=False).warnings


def test_a_deflated_archive_is_listed_and_its_values_are_said_to_be_unchecked(tmp_path):
    path = save({"w": torch.ones(2, 3)}, tmp_path / "m.pth")
    packed = tmp_path / "packed.pth"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    found = tc.inspect_checkpoint(packed)
    assert found.tensors["w"].shape == (2, 3)
    assert found.tensors["w"].file_offset is None
    assert [item.code for item in found.not_checked] == ["values"]


def test_torchscript_archives_are_listed(tmp_path):
    data = {"archive/data.pkl": b"\x80\x02}q\x00.", "archive/code/x.py": b"", "archive/version": b"3\n"}
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as archive:
        for name, content in data.items():
            archive.writestr(name, content)
    assert tc.inspect_checkpoint(tmp_path / "m.pt").format == "torchscript"


def test_the_report_holds_everything_and_its_json_is_strict(tmp_path):
    found = tc.inspect_checkpoint(save({"w": torch.tensor([[1.0, float("nan")]])}, tmp_path / "m.pth"))
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["tensors"]["w"]["nan"] == 1
    assert data["findings"][0]["code"] == "CKP002"
    assert "w holds 1 NaN" in str(found)
    assert "<table" in found._repr_html_()


def test_neither_torch_is_imported_nor_anything_from_the_file(tmp_path):
    save(trained()[0], tmp_path / "m.pth")
    code = (
        "import sys, torchclinic as tc; c = tc.inspect_checkpoint(sys.argv[1]); str(c); c.to_dict();"
        "assert c.foreign_globals; print('torch' in sys.modules)"
    )
    source = str(Path(tc.__file__).parents[1])
    command = [sys.executable, "-c", code, str(tmp_path / "m.pth")]
    done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": source})
    assert done.stdout == "False\n", done.stderr


def test_the_names_a_terminal_would_obey_are_escaped(tmp_path):
    found = tc.inspect_checkpoint(save({"\x1b[31mred\ud800": torch.ones(1)}, tmp_path / "m.pth"))
    assert list(found.tensors) == ["\\x1b[31mred\\xed\\xa0\\x80"]


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(CheckpointError, match="cannot be read: No such file"):
        tc.inspect_checkpoint(tmp_path / "none.pth")
