"""The examples of docs/tensors.md do what the document shows."""

import doctest
from pathlib import Path


def test_every_example_of_the_document_holds():
    document = Path(__file__).parents[2] / "docs" / "tensors.md"
    results = doctest.testfile(str(document), module_relative=False)
    assert results.attempted >= 20
    assert results.failed == 0
