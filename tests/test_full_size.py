"""The benchmark of the whole notebook counts what all processes of a work cost, and shows only what was measured."""

import sys

import numpy as np
import pytest
from full_size import Cost, measure, table, tiled

from svhn.digits import Digits
from svhn.errors import SVHNError

CHILD = "import sys; held = bytearray(60_000_000); sum(range(20_000_000))"
PARENT = f"import subprocess, sys; held = bytearray(40_000_000); subprocess.run([sys.executable, '-c', {CHILD!r}])"


@pytest.fixture
def digits():
    images = np.arange(7, dtype=np.uint8)[:, None, None, None] * np.ones((32, 32, 3), np.uint8)
    return Digits(images, np.arange(7, dtype=np.uint8), "seven", real=False)


def test_digits_are_repeated_to_their_number_with_their_labels(digits):
    images, labels = tiled(digits, 17)
    assert labels.tolist() == [*range(7), *range(7), 0, 1, 2] and (images[:, 0, 0, 0] == labels).all()


def test_children_count(tmp_path):
    cost = measure("a work", 5, [sys.executable, "-c", PARENT], tmp_path)
    assert cost.memory > 100_000_000 and cost.processor > 0.1 and (cost.work, cost.digits) == ("a work", 5)


def test_a_work_that_fails_is_one_line_and_no_figure(tmp_path):
    with pytest.raises(SVHNError, match="a work at 1,000 digits failed: no disk"):
        measure("a work", 1000, [sys.executable, "-c", "raise SystemExit('no disk')"], tmp_path)


def test_the_table_holds_what_was_measured(digits):
    page = table([Cost("this project, auto", 1000, 12.4, 3 * 2**29)], digits)
    assert "| 1,000 | this project, auto | 12 | 1.50 |" in page and "7 digits drawn by this project" in page
    assert len([line for line in page.splitlines() if line.startswith("| ")]) == 2
