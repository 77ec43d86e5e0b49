"""Stored models as readers of digits: each with its own preprocessing, and measured on the digits of a run."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from svhn.backend import keras
from svhn.data.protocol import Split
from svhn.errors import SVHNError
from svhn.learning.batches import Images, Preprocessed, predict
from svhn.learning.records import Record
from svhn.learning.reliability import shares_by_digit
from svhn.learning.stored import load_model


@dataclass(frozen=True)
class Reader:
    """A stored model with the preprocessing that it was trained with.

    Attributes:
        model: The network.
        record: Its record.
        preprocess: Turns uint8 images (n, 32, 32, 3) into the network's images; None where it is given the colours.
    """

    model: keras.Model
    record: Record
    preprocess: Callable[[np.ndarray], np.ndarray] | None

    def view(self, images: np.ndarray) -> Images:
        """The network's view of images, uint8 (n, 32, 32, 3)."""
        return images if self.preprocess is None else Preprocessed(images, self.preprocess)

    def probabilities(self, images: np.ndarray, task: str = "") -> np.ndarray:
        """Class probabilities, float32 (n, 10), of uint8 images (n, 32, 32, 3). A named task shows its progress."""
        return predict(self.model, self.view(images), task)


def load_reader(name: str, models: str | Path, definitions: dict[str, Any]) -> Reader:
    """Loads a stored model and finds its preprocessing.

    Args:
        name: The model's name.
        models: The folder of the stored models.
        definitions: The notebook's definitions by name.

    Raises:
        SVHNError: The model is missing or damaged, or the notebook does not define its preprocessing.
    """
    model, record = load_model(models, name)
    if record.preprocessing is None:
        return Reader(model, record, None)
    function = definitions.get(record.preprocessing)
    if not callable(function):
        raise SVHNError(
            f"the notebook does not define {record.preprocessing}, with which {name} was trained; restore it from git"
        )
    return Reader(model, record, function)


def measure(name: str, models: Path, split: Split, definitions: dict[str, Any]) -> Record:
    """Measures a stored model.

    Args:
        name: The model's name.
        models: The folder of the stored models.
        split: The digits.
        definitions: The notebook's definitions by name.

    Returns:
        The model's record with its accuracy on validation and test digits, and on each test digit, as measured now.

    Raises:
        SVHNError: The model is missing or damaged, or the notebook does not define its preprocessing.
    """
    reader = load_reader(name, models, definitions)
    accuracy, read = {}, np.empty(0)
    for part, images, labels in (("validation", split.X_val, split.y_val), ("test", split.X_test, split.y_test)):
        read = reader.probabilities(images, f"{name}, {part} digits").argmax(axis=1)
        accuracy[part] = float(np.mean(read == labels))
    return replace(reader.record, accuracy=accuracy, test_by_digit=shares_by_digit(read, split.y_test))
