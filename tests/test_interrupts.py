"""A training stopped by its person in a notebook, and the same cell run again."""

import re
import time
from pathlib import Path
from queue import Empty

import pytest
from jupyter_client.manager import start_new_kernel

TESTS = Path(__file__).parent
SETUP = """
import sys, time
sys.path[:0] = [{tests!r}, {root!r}]
from small_network import build, evaluation_split
from svhn.learning.batches import Augmented
from svhn.learning.comparison import Variant, run_comparison
from svhn.learning.evaluation import run_evaluation
import matplotlib.pyplot as plt

def slow(batch, generator):
    time.sleep(0.08)
    return batch

split, data = evaluation_split()
slowly = Augmented(data[0], data[2], slow), data[1], data[3]
"""
TRAIN = "run_evaluation('model_small', build, slowly, {folder!r}, generator=True, epochs=10, split=split);"
COMPARE = """variants = {{"a": Variant(build, slowly), "b": Variant(build, slowly)}}
run_comparison('comparison_x', variants, 'a', {folder!r}, epochs=4, split=split, seeds=(1, 2));"""


class Cells:
    """A kernel that cells are run in, as JupyterLab runs them."""

    def __init__(self):
        self.manager, self.client = start_new_kernel(kernel_name="python3", cwd=str(TESTS.parent))

    def run(self, source, stop_at=None):
        """Runs a cell and interrupts it two seconds after a file appeared, which is when there is a bar.

        An interruption while Python tidies up is lost, and repeated. Returns the lines of the cell's output, as a
        person sees them, and its red texts.
        """
        self.client.execute(source)
        printed, red, due = "", [], None
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=0.2 if stop_at else 120)
            except Empty:
                assert stop_at, "the kernel says no more"
                message = None
            if stop_at and due is None and stop_at.is_file():
                due = time.monotonic() + 2
            if due and time.monotonic() > due:
                self.manager.interrupt_kernel()
                due = time.monotonic() + 10
            if message is None:
                assert self.manager.is_alive(), "the kernel died"
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream" and content["name"] == "stdout":
                printed += content["text"]
            elif kind in ("stream", "error"):
                red += content.get("traceback") or [content["text"]]
                red = [text for text in red if not text.startswith("Exception ignored in")]
            elif kind == "status" and content["execution_state"] == "idle":
                # A carriage return overwrites the text before it.
                return [line.rstrip().split("\r")[-1] for line in printed.split("\n")], red


@pytest.fixture(scope="module")
def cells():
    started = Cells()
    _, red = started.run(SETUP.format(tests=str(TESTS), root=str(TESTS.parent)))
    assert red == []
    yield started
    started.client.stop_channels()
    started.manager.shutdown_kernel(now=True)


def bars(lines):
    return [line for line in lines if "batch/s" in line or "s/batch" in line]


def test_a_stopped_training_says_in_one_line_what_is_kept_and_goes_on_with_one_bar(cells, tmp_path):
    cell = TRAIN.format(folder=str(tmp_path))
    lines, red = cells.run(cell, stop_at=tmp_path / "checkpoints/model_small.keras")
    assert len(red) == 1 and len(bars(lines)) == 1
    done = int(
        re.fullmatch(
            r"model_small: stopped; epochs 1 to (\d+) of 10 are kept; to go on from there, run this cell again", red[0]
        )[1]
    )
    assert 1 <= done < 10
    lines, red = cells.run(cell)
    assert red == [] and any(f"going on after epoch {done}," in line for line in lines)
    (bar,) = bars(lines)
    assert bar.startswith("model_small: 100%") and "60/60" in bar
    assert (tmp_path / "model_small.keras").is_file()


def test_a_stopped_comparison_says_in_one_line_what_is_kept_and_goes_on_with_one_bar(cells, tmp_path):
    cell = COMPARE.format(folder=str(tmp_path))
    lines, red = cells.run(cell, stop_at=tmp_path / "checkpoints/comparison_x.json")
    assert len(red) == 1 and len(bars(lines)) == 1
    assert re.fullmatch(r"comparison_x: stopped; [1-3] of 4 trainings are kept; .*run this cell again", red[0])
    lines, red = cells.run(cell)
    assert red == [] and len(bars(lines)) == 1 and "96/96" in bars(lines)[0]
    assert (tmp_path / "comparison_x.json").is_file()
