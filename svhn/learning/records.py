"""A model's record, plain JSON in `NAME.json`; to read it loads no Keras."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from svhn.errors import SVHNError

# The assignment's limit on the file of a stored model.
MOST_BYTES = 100_000_000
# The entry of a record with the share of each test digit, 0 to 9, that is read right.
BY_DIGIT = "test_by_digit"
CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")


def model_path(folder: str | Path, name: str) -> Path:
    """The file of the network of that name."""
    return Path(folder) / f"{name}.keras"


def record_path(folder: str | Path, name: str) -> Path:
    """The file of the record of that name."""
    return Path(folder) / f"{name}.json"


def load_record(folder: str | Path, name: str) -> dict[str, Any]:
    """Loads the record of a stored model.

    Raises:
        SVHNError: It is missing, is no JSON, or lacks learning curves of equal length or the digest of its model.
    """
    finish_store(folder, name)
    path = record_path(folder, name)
    remedy = f"train the model again (make train MODEL={name}) or restore the file from git"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(stored_names(folder)) or "none"
        raise SVHNError(
            f"no stored model {name} ({path} is missing; stored there: {known}); train it: make train MODEL={name}, "
            "or with stop_training = False in the notebook"
        ) from None
    except (OSError, ValueError) as error:
        raise SVHNError(f"{path} is damaged ({error}); {remedy}") from error
    if not _is_record(record):
        raise SVHNError(f"{path} is not a model's record (sha256 and four learning curves of equal length); {remedy}")
    return record


def stored_names(folder: str | Path) -> list[str]:
    """The names of the models that have a record in `folder`, in order."""
    return sorted(path.stem for path in Path(folder).glob("model_*.json"))


def digits_of(record: dict[str, Any]) -> str:
    """The digits that a record's figures were measured on, as the end of a line."""
    data = record.get("data")
    return f", {'real SVHN' if data['real'] else 'drawn'} digits ({data['name']})" if data else ""


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


def _is_record(record: Any) -> bool:
    if not isinstance(record, dict) or not isinstance(record.get("sha256"), str):
        return False
    curves = record.get("learning_curves")
    if not isinstance(curves, dict) or any(not isinstance(curves.get(key), list) for key in CURVES):
        return False
    lengths = {len(curves[key]) for key in CURVES}
    return len(lengths) == 1 and 0 not in lengths
