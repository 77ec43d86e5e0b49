"""A stored model measured on the digits of a run, seen as the notebook defines."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from svhn.data.protocol import Split
from svhn.errors import SVHNError
from svhn.learning.batches import Preprocessed, predict
from svhn.learning.records import Record, load_record, record_path, write_record
from svhn.learning.reliability import shares_by_digit
from svhn.learning.stored import load_model


def measure(name: str, models: Path, split: Split, definitions: dict[str, Any]) -> Record:
    """Measures a stored model.

    Args:
        name: Of the model.
        models: The folder that it is stored in.
        split: The digits.
        definitions: What the notebook defines, by name; the model's preprocessing is among it.

    Returns:
        Its record with the accuracy on validation and test digits, and that on each test digit, as measured now.

    Raises:
        SVHNError: The model is missing or damaged, or the notebook does not define how it sees digits.
    """
    model, record = load_model(models, name)
    function = record.preprocessing
    if function and function not in definitions:
        raise SVHNError(f"the notebook does not define {function}, through which {name} sees digits; restore it")
    accuracy, read = {}, np.empty(0)
    for part, images, labels in (("validation", split.X_val, split.y_val), ("test", split.X_test, split.y_test)):
        seen = Preprocessed(images, definitions[function]) if function else images
        read = predict(model, seen, f"{name}, {part} digits").argmax(axis=1)
        accuracy[part] = float(np.mean(read == labels))
    return replace(record, accuracy=accuracy, test_by_digit=shares_by_digit(read, split.y_test))


def complete_record(name: str, models: Path, split: Split, definitions: dict[str, Any]) -> None:
    """Adds to a record that lacks them the shares of each test digit that are read right; arguments as of `measure`."""
    record = load_record(models, name)
    if record.test_by_digit is None:
        by_digit = measure(name, models, split, definitions).test_by_digit
        write_record(record_path(models, name), replace(record, test_by_digit=by_digit))
