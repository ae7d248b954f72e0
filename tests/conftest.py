"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest
import torch

os.environ["OMP_NUM_THREADS"] = "1"  # of the processes that tests start; one that forks after OpenMP made threads hangs

DATA = os.environ.get("TORCHCLINIC_DATA")


def pytest_configure(config: pytest.Config) -> None:
    torch.set_num_threads(1)  # tests run side by side, and sums are then the same on every machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if DATA is None:
        skip = pytest.mark.skip(reason="needs full MNIST: set TORCHCLINIC_DATA")
        for item in items:
            if "mnist" in item.keywords:
                item.add_marker(skip)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder TORCHCLINIC_DATA names; the test is skipped without it."""
    if DATA is None:
        pytest.skip("needs TORCHCLINIC_DATA")
    return Path(DATA)
