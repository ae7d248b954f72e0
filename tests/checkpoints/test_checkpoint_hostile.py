"""Hostile and damaged files: one clear sentence, nothing executed, bounded memory."""

import random
import sys
import tracemalloc
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import torchclinic as tc
from torchclinic.checkpoints.opcodes import HANDLERS
from torchclinic.errors import CheckpointError

ROOT = Path(__file__).parents[2]
CORPUS = sorted((ROOT / "tests/corpus/checkpoints").iterdir())
sys.path.insert(0, str(ROOT / "benchmarks"))
from checkpoint_mutations import MARKER, hostile, mutate, seeds  # noqa: E402

LISTED = {"executing_zip", "executing_pickle", "executing_legacy", "nested", "self", "deep_tuple", "zip_in_zip"}
LISTED |= {"computed_name"}
BOMBED = Path("/nonexistent") / MARKER  # every file below is made anew: names only
NAMES = sorted(hostile(BOMBED))


def outcome(path):
    """A listing or one sentence; everything else is a test failure."""
    try:
        return tc.inspect_checkpoint(path)
    except CheckpointError as error:
        sentence = str(error)
    assert "\n" not in sentence
    assert sentence.startswith(str(path))
    assert len(sentence) < len(str(path)) + 400
    return sentence


@pytest.mark.parametrize("name", [name for name in NAMES if name != "laughs"])  # slow under tracemalloc
def test_hostile_files_are_refused_in_one_sentence_or_listed_and_never_obeyed(tmp_path, name):
    marker = tmp_path / MARKER
    path = tmp_path / "m.pth"
    path.write_bytes(hostile(marker)[name])
    tracemalloc.start()
    found = outcome(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(found, str) == (name not in LISTED), found
    assert not marker.exists()
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.pth"]
    assert peak < 400 * 2**20
    if name.startswith("executing"):
        assert list(found.foreign_globals) == ["builtins.exec"] or "__builtin__.exec" in found.foreign_globals
        assert found.findings[0].severity == "error"


def test_the_files_of_the_previous_test_would_execute_if_they_were_unpickled(tmp_path):
    marker = tmp_path / MARKER
    path = tmp_path / "m.pth"
    path.write_bytes(hostile(marker)["executing_legacy"])
    torch.load(path, weights_only=False)
    assert marker.exists()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("empty", "is empty"),
        ("text", "no checkpoint"),
        ("web_page", "web page"),
        ("lfs", "Git LFS pointer"),
        ("traversal", "points outside its folder"),
        ("zip_bomb", "would inflate to|does not inflate|text, more than"),
        ("laughs", "more than 250,000 values"),
        ("cut_zip", "truncated"),
        ("header_overlap", "overlap"),
        ("header_gap", "gap"),
        ("header_twice", "same key twice"),
        ("header_deep", "not valid JSON"),
        ("header_length", "claims"),
    ],
)
def test_the_sentence_says_what_is_wrong(tmp_path, name, sentence):
    path = tmp_path / "m.pth"
    path.write_bytes(hostile(tmp_path / MARKER)[name])
    with pytest.raises(CheckpointError, match=sentence):
        tc.inspect_checkpoint(path)


@pytest.mark.parametrize("shard", ["../x.bin", "/etc/passwd", "a/b.safetensors", "x.index.json", "x.py", ""])
def test_an_index_never_leads_outside_its_folder_nor_to_another_index(tmp_path, shard):
    path = tmp_path / "x.index.json"
    path.write_text(f'{{"weight_map": {{"a": "{shard}"}}}}')
    assert "no checkpoint beside it" in outcome(path)


def test_devices_folders_and_fifos_are_not_read(tmp_path):
    assert "not a regular file" in outcome(Path("/dev/zero"))
    assert "holds no checkpoint" in outcome(tmp_path)


def test_a_file_cut_anywhere_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "m.pth"
    for data in (seeds(BOMBED)[0], seeds(BOMBED)[2], seeds(BOMBED)[-4]):
        for length in range(0, len(data), 97):
            path.write_bytes(data[:length])
            assert isinstance(outcome(path), str)


STARTS = [*seeds(BOMBED), *(data for name, data in hostile(BOMBED).items() if data and name != "laughs")]


@given(st.integers(0, 2**63))
@settings(max_examples=300, deadline=None)
def test_damaged_files_are_refused_in_one_sentence_or_listed(tmp_path_factory, seed):
    draw = random.Random(seed)
    path = tmp_path_factory.getbasetemp() / "damaged.pth"
    path.write_bytes(mutate(draw.choice(STARTS), STARTS, draw))
    outcome(path)


@given(st.lists(st.sampled_from(sorted(HANDLERS)) | st.integers(0, 255), max_size=60), st.sampled_from([0, 2, 4]))
@settings(max_examples=300, deadline=None)
def test_any_sequence_of_operations_is_survived(tmp_path_factory, codes, protocol):
    path = tmp_path_factory.getbasetemp() / "codes.pth"
    path.write_bytes(bytes([0x80, protocol, *codes]) + b".")
    outcome(path)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_inputs_that_once_failed_do_so_no_longer(path):
    outcome(path)
