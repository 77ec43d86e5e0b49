"""A stored model: `NAME.keras` and, beside it, its record `NAME.json`."""

import json
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import ml_dtypes
import numpy as np

from svhn.errors import SVHNError, one_line
from svhn.files import atomic_path, sha256, write_json

FORMAT = 1
MAX_BYTES = 100_000_000
CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")


def model_path(folder: str | Path, name: str) -> Path:
    """Where the network of that name is stored."""
    return Path(folder) / f"{name}.keras"


def record_path(folder: str | Path, name: str) -> Path:
    """Where the record of that name is stored."""
    return Path(folder) / f"{name}.json"


def store_model(
    folder: str | Path, name: str, model: keras.Model, make_record: Callable[[keras.Model], dict[str, Any]]
) -> dict[str, Any]:
    """Stores a model and its record as one: after a kill at any moment either both are the old ones or both the new.

    Weights are rounded to bfloat16 precision (16 of 32 bits; still float32 to Keras), which deflates to about
    1.8 bytes a parameter.

    Args:
        folder: Where to.
        name: Of the model.
        model: What to store; its optimizer's state is left out.
        make_record: Gets the model as read back from the file and returns its record, so that whatever the record
            says was measured on the file.

    Returns:
        The record, with `name`, `format`, `parameters`, `bytes` and `sha256` of the file added.

    Raises:
        SVHNError: The file would be over 100 MB, or cannot be written.
    """
    # A copy whose optimizer never took a step: Keras would store its state, twice the size of the weights.
    bare = keras.models.clone_model(model)
    bare.set_weights([_round_to_bfloat16(weight) for weight in model.get_weights()])
    model_pending, record_pending = _pending(folder, name)
    _finish(folder, name)
    with atomic_path(model_pending) as temporary:
        keras.saving.save_model(bare, temporary)
        _deflate(temporary)
        if temporary.stat().st_size > MAX_BYTES:
            raise SVHNError(
                f"{name}: {temporary.stat().st_size:,} bytes are over the limit of 100 MB; use fewer parameters"
            )
    try:
        stored = keras.saving.load_model(model_pending)
        record = {
            "name": name,
            "format": FORMAT,
            "sha256": sha256(model_pending),
            "bytes": model_pending.stat().st_size,
            "parameters": stored.count_params(),
            **make_record(stored),
        }
    except BaseException:
        model_pending.unlink()
        raise
    # From here on the pair is whole under its pending names; whoever comes next can finish the move.
    write_json(record_pending, record)
    _finish(folder, name)
    return record


def load_model(folder: str | Path, name: str) -> tuple[keras.Model, dict[str, Any]]:
    """Loads a stored model and its record.

    Raises:
        SVHNError: One of the two is missing or damaged, or they do not belong together.
    """
    record = load_record(folder, name)
    path = model_path(folder, name)
    remedy = f"train it again (make train MODEL={name}) or restore both files from git"
    if not path.is_file():
        raise SVHNError(f"{path} is missing; {remedy}")
    if sha256(path) != record["sha256"]:
        raise SVHNError(f"{path} is damaged or is not the file that {record_path(folder, name)} describes; {remedy}")
    try:
        model = keras.saving.load_model(path, safe_mode=True)
    except Exception as error:  # Keras raises whatever its layers raise.
        reason = one_line(error)
        raise SVHNError(f"{path} cannot be loaded by Keras {keras.__version__} ({reason}); {remedy}") from error
    return model, record


def load_record(folder: str | Path, name: str) -> dict[str, Any]:
    """Loads the record of a stored model.

    Raises:
        SVHNError: It is missing, is no JSON, or lacks learning curves of equal length or the digest of its model.
    """
    _finish(folder, name)
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


def _is_record(record: Any) -> bool:
    if not isinstance(record, dict) or not isinstance(record.get("sha256"), str):
        return False
    curves = record.get("learning_curves")
    if not isinstance(curves, dict) or any(not isinstance(curves.get(key), list) for key in CURVES):
        return False
    lengths = {len(curves[key]) for key in CURVES}
    return len(lengths) == 1 and 0 not in lengths


def _pending(folder: str | Path, name: str) -> tuple[Path, Path]:
    return Path(folder) / f".{name}.pending.keras", Path(folder) / f".{name}.pending.json"


def _finish(folder: str | Path, name: str) -> None:
    """Completes a store that was cut off after both pending files were whole."""
    model_pending, record_pending = _pending(folder, name)
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


def _round_to_bfloat16(weight: np.ndarray) -> np.ndarray:
    return weight.astype(ml_dtypes.bfloat16).astype(weight.dtype) if weight.dtype == np.float32 else weight


def _deflate(path: Path) -> None:
    """Compresses the archive that Keras wrote, and takes out how the model was compiled.

    Keras itself only stores. And it names optimizers by backend: a network compiled under PyTorch would not load
    where only TensorFlow is. What the optimizer was is in the record.
    """
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    config = json.loads(members["config.json"])
    config.pop("compile_config", None)
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for filename, content in members.items():
            archive.writestr(filename, content)
