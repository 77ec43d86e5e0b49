"""A model's record, plain JSON in `NAME.json`. It needs no Keras."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svhn.data.provenance import Provenance
from svhn.errors import SVHNError
from svhn.files import write_json
from svhn.typed import read_json, to_json

# The assignment's limit on the file of a stored model.
MOST_BYTES = 100_000_000
CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training's schedule and augmentation, and its optimizer and loss as Keras serializes them."""

    epochs: int
    batch_size: int
    steps_per_epoch: int
    seed: int
    augmentation: str | None
    optimizer: dict[str, Any]
    loss: Any


@dataclass(frozen=True, kw_only=True)
class Record:
    """The record of a stored model.

    Attributes:
        name: The model's name.
        format: The version of the pair of files.
        sha256, bytes: The digest and the size of the model's file.
        parameters: The number of the network's parameters.
        learning_curves: `loss`, `accuracy`, `val_loss`, `val_accuracy`, one value an epoch.
        accuracy: The stored file's, 0..1, on the `validation` digits and, where a split was named, the `test` digits.
        test_by_digit: The share of each test digit, 0 to 9, that is read right; None where there is no such digit.
        data: The digits, or None where no split was named.
        preprocessing: The name of the notebook's preprocessing function; None where the model is given the colours.
        recipe: The recipe of its training.
        backend, precision, versions: Those of the training.
        seconds: The duration of the training.
    """

    name: str
    format: int
    sha256: str
    bytes: int
    parameters: int
    learning_curves: dict[str, list[float]]
    accuracy: dict[str, float]
    test_by_digit: list[float | None] | None = None
    data: Provenance | None
    preprocessing: str | None
    recipe: Recipe
    backend: str
    precision: str | None = None
    versions: dict[str, str]
    seconds: float

    def __post_init__(self) -> None:
        """Checks the conditions that types do not express.

        Raises:
            ValueError: One of the four learning curves is missing or empty, their lengths differ, or there is no
                validation accuracy.
        """
        lengths = {len(self.learning_curves.get(name, ())) for name in CURVES}
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError("it has no four learning curves of equal length")
        if "validation" not in self.accuracy:
            raise ValueError("accuracy has no validation")


def model_path(folder: str | Path, name: str) -> Path:
    """The file of a stored model."""
    return Path(folder) / f"{name}.keras"


def record_path(folder: str | Path, name: str) -> Path:
    """The file of a stored model's record."""
    return Path(folder) / f"{name}.json"


def load_record(folder: str | Path, name: str) -> Record:
    """Loads the record of a stored model.

    Raises:
        SVHNError: It is missing, is no JSON, or is no record.
    """
    finish_store(folder, name)
    path = record_path(folder, name)
    if not path.exists():
        known = ", ".join(stored_names(folder)) or "none"
        raise SVHNError(
            f"no stored model {name} ({path} is missing; stored there: {known}); train it: make train MODEL={name}, "
            "or with stop_training = False in the notebook"
        )
    return read_json(path, Record, f"train the model again (make train MODEL={name}) or restore the file from git")


def write_record(path: Path, record: Record) -> None:
    """Writes a record, whole or not at all."""
    write_json(path, to_json(record))


def stored_names(folder: str | Path) -> list[str]:
    """The names of the models that have a record in `folder`, in order."""
    return sorted(path.stem for path in Path(folder).glob("model_*.json"))


def pending_paths(folder: str | Path, name: str) -> tuple[Path, Path]:
    """The files that model and record are written to before both move to their places."""
    return Path(folder) / f".{name}.pending.keras", Path(folder) / f".{name}.pending.json"


def finish_store(folder: str | Path, name: str) -> None:
    """Completes a store that was killed after both pending files were whole."""
    model_pending, record_pending = pending_paths(folder, name)
    if not record_pending.exists():
        return
    try:
        # Another process may be finishing the same store. The file is then in its place already.
        with suppress(FileNotFoundError):
            model_pending.replace(model_path(folder, name))
        with suppress(FileNotFoundError):
            record_pending.replace(record_path(folder, name))
    except OSError as error:
        raise SVHNError(f"cannot finish storing {name} in {folder}: {error.strerror}; change its rights") from error
