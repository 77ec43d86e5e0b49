"""Reads digits with a stored model, each image preprocessed as the model's training images were."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from svhn.backend import load_keras
from svhn.data.photos import is_blank, read_images
from svhn.digits import model_input
from svhn.errors import SVHNError
from svhn.files import sha256, write_text
from svhn.learning.records import load_record, model_path, stored_names
from svhn.notebook.cells import NOTEBOOK, load_alone, load_definitions, trainable_names

# Up to this number, images are read faster without Keras, which takes seconds to load.
FEW = 100
_MODELS = Path("models")


@dataclass(frozen=True)
class Reading:
    """A model's reading of an image.

    Attributes:
        name: The image's name.
        probabilities: The probabilities of the ten digits, float32 (10,).
        remark: A remark on the image for people, or empty.
        blank: Whether the image is blank, and has no digit to read.
    """

    name: str
    probabilities: np.ndarray
    remark: str = ""
    blank: bool = False

    @property
    def guesses(self) -> list[tuple[int, float]]:
        """The two most probable digits with their probabilities; a blank image has none."""
        if self.blank:
            return []
        order = np.argsort(-self.probabilities, kind="stable")[:2]
        return [(int(digit), float(self.probabilities[digit])) for digit in order]

    def __str__(self) -> str:
        if self.blank:
            return "no digit: the image is blank"
        (first, share), (second, less) = self.guesses
        return f"{first}  {share:7.2%}   else {second}  {less:7.2%}" + (f"   {self.remark}" if self.remark else "")


def predict_images(name: str, paths: Sequence[Path]) -> list[Reading]:
    """Reads the digits in image files.

    Args:
        name: The stored model's name.
        paths: Photos of one digit each, of any size, or `.npz` files with `X`.

    Returns:
        A reading for each image, in order.

    Raises:
        SVHNError: The model, its preprocessing or an image cannot be read.
    """
    # A wrong name or path is told before Keras is loaded, which takes seconds.
    _check_stored(name)
    images, names, remarks = read_images(paths)
    light = _predict_light(name, images) if len(images) <= FEW else None
    probabilities = _predict(name, images) if light is None else light
    blank = is_blank(images)
    return [Reading(*one) for one in zip(names, probabilities, remarks, map(bool, blank), strict=True)]


def write_predictions(path: Path, readings: Sequence[Reading]) -> None:
    """Writes a CSV file, whole or not at all, with the columns `image,digit,probability`, empty for a blank image."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("image", "digit", "probability"))
    for reading in readings:
        digit, share = reading.guesses[0] if reading.guesses else ("", None)
        writer.writerow((reading.name, digit, "" if share is None else f"{share:.6f}"))
    write_text(path, table.getvalue())


def _check_stored(name: str) -> None:
    stored = stored_names(_MODELS)
    if name in stored:
        return
    trainable = NOTEBOOK.is_file() and name in trainable_names()
    remedy = f"train it: make train MODEL={name}" if trainable else "choose one of these"
    raise SVHNError(f"there is no stored model {name}; in {_MODELS} there are: {', '.join(stored) or 'none'}; {remedy}")


def _predict_light(name: str, images: np.ndarray) -> np.ndarray | None:
    """Class probabilities without Keras, float32 (n, 10); None where only Keras can read the model, or say why not."""
    from svhn.learning.light import light_network

    record, path = load_record(_MODELS, name), model_path(_MODELS, name)
    known = record.preprocessing
    function = load_alone(NOTEBOOK, known) if known is not None else None
    if (known is not None and not callable(function)) or not path.is_file() or sha256(path) != record.sha256:
        return None
    network = light_network(path)
    if network is None:
        return None
    return network(model_input(function(images) if function else images)).astype(np.float32)


def _predict(name: str, images: np.ndarray) -> np.ndarray:
    load_keras()
    from svhn.notebook.measurement import load_reader

    definitions = load_definitions() if load_record(_MODELS, name).preprocessing else {}
    return load_reader(name, _MODELS, definitions).probabilities(images)
