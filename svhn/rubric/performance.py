"""The worth of a hand-in's performance, measured on its stored files: the last line of a performance cell."""

import functools
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from svhn.backend import silence
from svhn.data.protocol import Split, split_digits
from svhn.data.sources import load_digits
from svhn.digits import Digits
from svhn.errors import SVHNError, one_line
from svhn.learning.batches import Images, Preprocessed, preprocess_like
from svhn.learning.evaluation import accuracy, in_nbgrader
from svhn.learning.stored import load_model
from svhn.rubric.calibration import load_calibration
from svhn.rubric.questions import BY_NUMBER, ROWS, TEST
from svhn.settings import Settings

# The words of errors where this machine lacks memory or disk.
LACKS_ROOM = re.compile(
    "MemoryError|ResourceExhausted|Unable to allocate|Cannot allocate memory|No space left on device|"
    "Disk quota exceeded|Read-only file system"
)


class Unmeasured(float):
    """No points, shown as a note: nbgrader would give all of them to a cell without a result."""

    note: str

    def __new__(cls, note: str) -> "Unmeasured":
        """Zero, with the note that a notebook shows in its place."""
        points = super().__new__(cls, 0.0)
        points.note = note
        return points

    def _repr_html_(self) -> str:
        return self.note


def performance(question: str, names: Mapping[str, Any], folder: Path = Path("models")) -> float:
    """Measures the accuracy that decides a question's points, prints it, and returns the points.

    Where nbgrader neither grades nor validates, nothing is measured: every model would be measured twice.

    Digits and labels are loaded anew, once for all questions, and the model is read from its file: of the notebook's
    own variables only the preprocessing counts, for 4.2 the fitted pipeline and the stored embeddings.

    Args:
        question: "1.1".
        names: The notebook's `globals()`.
        folder: Where the hand-in's models are stored.

    Returns:
        0 to the points of the question's performance row; 0 where there is nothing to measure and outside nbgrader.

    Raises:
        SVHNError: The digits cannot be loaded, or memory or disk do not suffice: the hand-in is not to blame.
    """
    if not in_nbgrader():
        return Unmeasured(f"{question}: measured where nbgrader grades or validates this notebook")
    try:
        with _silent():
            split = _split(Settings.choose(data=names.get("data")).data)
    except Exception as error:
        raise SVHNError(f"{question} was not measured: {one_line(error)}") from error
    try:
        with _silent():
            measured, what = _measure(question, names, folder, split)
    except Exception as error:  # The hand-in's own functions raise whatever they run into.
        said = f"{type(error).__name__}: {one_line(error)}"
        if LACKS_ROOM.search(said):
            raise SVHNError(f"{question} was not measured: {said}; free some room") from error
        print(f"{question}: {error if isinstance(error, SVHNError) else f'cannot be measured ({said})'}")
        return 0.0
    earned = performance_points(question, measured)
    print(f"{question}: {measured:.2%} of {what}{_named(split.digits)}: {earned:g} points")
    return earned


def performance_points(question: str, share: float) -> float:
    """The points, to hundredths, that the calibration gives a question's performance for an accuracy, 0..1."""
    (row,) = (row for row in ROWS if row.question == question and row.calibrated)
    return round(float(load_calibration().mark(question, share)) / 10 * row.points, 2)


@contextmanager
def _silent() -> Iterator[None]:
    """Keeps outputs empty: nbgrader takes any line on standard error for a failed test."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere), silence():
        yield


@functools.lru_cache(maxsize=1)
def _split(source: str | None) -> Split:
    return split_digits(load_digits(source))


def _measure(question: str, names: Mapping[str, Any], folder: Path, split: Split) -> tuple[float, str]:
    """The accuracy that counts, and the digits that it is of."""
    asked = BY_NUMBER[question]
    if asked.figure == TEST:
        name = f"pipeline_{asked.identifier}"
        pipeline, load_embedding = _defined(names, name), _defined(names, "load_embedding")
        predictions = np.asarray(pipeline.predict(load_embedding("test")))
        if predictions.shape != split.y_test.shape:
            raise SVHNError(f"{name} classified {len(predictions)} embeddings, not {len(split.y_test)} test digits")
        return float(np.mean(predictions == split.y_test)), f"{len(split.y_test):,} test digits"
    model, _ = load_model(folder, asked.model)
    images = _anew(_defined(names, asked.split)[1], split)
    return accuracy(model, images, split.y_val), f"{len(split.y_val):,} validation digits"


def _anew(images: Images, split: Split) -> Images:
    """The validation digits, preprocessed as the notebook does."""
    if isinstance(images, Preprocessed) or (images.dtype == np.uint8 and images.shape == split.X_val.shape):
        return preprocess_like(images, split.X_val.copy())  # A student's function may change its argument.
    # An array that the notebook preprocessed itself: there is no function to repeat it with.
    if len(images) != len(split.y_val):
        raise SVHNError(f"the notebook has {len(images)} validation images for {len(split.y_val)} digits")
    return images


def _defined(names: Mapping[str, Any], name: str) -> Any:
    if names.get(name) is None:
        raise SVHNError(f"the notebook does not define {name}")
    return names[name]


def _named(digits: Digits) -> str:
    return f" of {digits.name}" if digits.real else ", drawn and not SVHN"
