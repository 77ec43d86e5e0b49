"""Reads digits with a stored model, each image preprocessed as the model's training images were."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from svhn.backend import load_keras
from svhn.data.photos import read_images
from svhn.errors import SVHNError
from svhn.files import write_text
from svhn.notebook.cells import NOTEBOOK, load_definitions


def predict_images(
    name: str, paths: Sequence[Path], models: Path = Path("models"), notebook: Path = NOTEBOOK
) -> tuple[list[str], np.ndarray]:
    """Reads the digits in image files.

    Args:
        name: Of the stored model.
        paths: PNG or JPEG files of any size, or `.npz` files with `X`.
        models: The folder of the stored models.
        notebook: Where the model's preprocessing is defined.

    Returns:
        A name for each image, and class probabilities, float32 (n, 10).

    Raises:
        SVHNError: The model, its preprocessing or an image cannot be read.
    """
    images, names = read_images(paths)  # A wrong path is told before Keras is loaded, which takes seconds.
    load_keras()
    from svhn.learning.batches import Preprocessed, predict
    from svhn.learning.stored import load_model

    model, record = load_model(models, name)
    preprocessing = record.get("preprocessing")
    if preprocessing is None:
        return names, predict(model, images)
    function = load_definitions(notebook).get(preprocessing)
    if not callable(function):
        raise SVHNError(
            f"{notebook} does not define {preprocessing}, with which {name} was trained; restore it from git"
        )
    return names, predict(model, Preprocessed(images, function))


def write_predictions(path: Path, names: Sequence[str], probabilities: np.ndarray) -> None:
    """Writes CSV with the columns `image,digit,probability`, whole or not at all."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("image", "digit", "probability"))
    for name, row in zip(names, probabilities, strict=True):
        writer.writerow((name, int(row.argmax()), f"{row.max():.6f}"))
    write_text(path, table.getvalue())
