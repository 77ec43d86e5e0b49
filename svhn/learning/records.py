"""A model's record, plain JSON in `NAME.json`; to read it loads no Keras."""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from svhn.data.provenance import Provenance
from svhn.errors import SVHNError
from svhn.files import write_json
from svhn.typed import from_json, to_json

# The assignment's limit on the file of a stored model.
MOST_BYTES = 100_000_000
CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a model was trained: schedule, augmentation, and optimizer and loss as Keras serializes them."""

    epochs: int
    batch_size: int
    steps_per_epoch: int
    seed: int
    augmentation: str | None
    optimizer: dict[str, Any]
    loss: Any


@dataclass(frozen=True, kw_only=True)
class Record:
    """What is known of a stored model.

    Attributes:
        name: Of the model.
        format: Of the pair of files.
        sha256, bytes: Digest and size of the model's file.
        parameters: How many the network has.
        learning_curves: `loss`, `accuracy`, `val_loss`, `val_accuracy`, one value an epoch.
        accuracy: Of the stored file, 0..1, on the `validation` digits and, where a split was named, the `test` digits.
        test_by_digit: The share of each test digit, 0 to 9, that is read right, None where there is no such digit.
        data: The digits, None where nothing says which.
        preprocessing: The notebook's function through which the model sees digits, None where it sees the colours.
        recipe: Of its training.
        backend, precision, versions: What computed.
        seconds: Of training.
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
        """Checks what types do not tell.

        Raises:
            ValueError: It lacks one of four learning curves, or they are empty or of unequal length.
        """
        lengths = {len(self.learning_curves.get(name, ())) for name in CURVES}
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError("it has no four learning curves of equal length")
        if "validation" not in self.accuracy:
            raise ValueError("accuracy has no validation")


def model_path(folder: str | Path, name: str) -> Path:
    """The file of the network of that name."""
    return Path(folder) / f"{name}.keras"


def record_path(folder: str | Path, name: str) -> Path:
    """The file of the record of that name."""
    return Path(folder) / f"{name}.json"


def load_record(folder: str | Path, name: str) -> Record:
    """Loads the record of a stored model.

    Raises:
        SVHNError: It is missing, is no JSON, or is no record.
    """
    finish_store(folder, name)
    path = record_path(folder, name)
    remedy = f"train the model again (make train MODEL={name}) or restore the file from git"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(stored_names(folder)) or "none"
        raise SVHNError(
            f"no stored model {name} ({path} is missing; stored there: {known}); train it: make train MODEL={name}, "
            "or with stop_training = False in the notebook"
        ) from None
    except (OSError, ValueError) as error:
        raise SVHNError(f"{path} is damaged ({error}); {remedy}") from error
    try:
        return from_json(Record, content)
    except ValueError as error:
        raise SVHNError(f"{path} is not a model's record ({error}); {remedy}") from error


def write_record(path: Path, record: Record) -> None:
    """Writes a record, whole or not at all."""
    write_json(path, to_json(record))


def stored_names(folder: str | Path) -> list[str]:
    """The names of the models that have a record in `folder`, in order."""
    return sorted(path.stem for path in Path(folder).glob("model_*.json"))


def pending_paths(folder: str | Path, name: str) -> tuple[Path, Path]:
    """The files that model and record are written to before they take their places together."""
    return Path(folder) / f".{name}.pending.keras", Path(folder) / f".{name}.pending.json"


def finish_store(folder: str | Path, name: str) -> None:
    """Completes a store that was cut off after both pending files were whole."""
    model_pending, record_pending = pending_paths(folder, name)
    if not record_pending.exists():
        return
    try:
        # Another process may be finishing the same store: then the file is already where it belongs.
        with suppress(FileNotFoundError):
            model_pending.replace(model_path(folder, name))
        with suppress(FileNotFoundError):
            record_pending.replace(record_path(folder, name))
    except OSError as error:
        raise SVHNError(f"cannot finish storing {name} in {folder}: {error.strerror}; change its rights") from error
