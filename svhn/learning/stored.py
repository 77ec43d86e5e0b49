"""A stored model: `NAME.keras` and, beside it, its record `NAME.json`."""

import contextlib
import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np

from svhn.backend import keras
from svhn.errors import SVHNError, one_line
from svhn.files import atomic_path, sha256
from svhn.learning.records import (
    MOST_BYTES,
    Record,
    finish_store,
    load_record,
    model_path,
    pending_paths,
    record_path,
    write_record,
)

FORMAT = 1


def store_model(folder: str | Path, name: str, model: keras.Model, make_record: Callable[..., Record]) -> Record:
    """Stores a model and its record together: after a kill at any moment both are the old ones, or both the new ones.

    Weights are rounded to bfloat16 precision (16 of 32 bits; still float32 to Keras), which deflates to about
    1.8 bytes a parameter.

    Args:
        folder: The folder of the stored models.
        name: The model's name.
        model: The model; its optimizer's state is left out.
        make_record: Returns the record. It is given the model as read back from the file, so that the record's figures
            are the file's, and by keyword `name`, `format`, `sha256`, `bytes` and `parameters`.

    Returns:
        The record.

    Raises:
        SVHNError: The file would be over 100 MB, or cannot be written.
    """
    # The copy's optimizer has no state, which Keras would store at twice the size of the weights.
    bare = keras.models.clone_model(model)
    bare.set_weights([_round_to_bfloat16(weight) for weight in model.get_weights()])
    model_pending, record_pending = pending_paths(folder, name)
    finish_store(folder, name)
    with atomic_path(model_pending) as temporary:
        keras.saving.save_model(bare, temporary)
        _deflate(temporary)
        if temporary.stat().st_size > MOST_BYTES:
            size, limit = f"{temporary.stat().st_size:,} bytes", f"{MOST_BYTES // 1_000_000} MB"
            raise SVHNError(f"{name}: {size} are over the limit of {limit}; use fewer parameters")
    try:
        stored = keras.saving.load_model(model_pending)
        record = make_record(
            stored,
            name=name,
            format=FORMAT,
            sha256=sha256(model_pending),
            bytes=model_pending.stat().st_size,
            parameters=stored.count_params(),
        )
    except BaseException:
        model_pending.unlink()
        raise
    # From here on the pair is whole under its pending names, and the next reader can finish the move.
    write_record(record_pending, record)
    finish_store(folder, name)
    return record


def load_model(folder: str | Path, name: str) -> tuple[keras.Model, Record]:
    """Loads a stored model and its record.

    Raises:
        SVHNError: One of the two is missing or damaged, or they do not belong together.
    """
    record = load_record(folder, name)
    path = model_path(folder, name)
    remedy = f"train it again (make train MODEL={name}) or restore both files from git"
    if not path.is_file():
        raise SVHNError(f"{path} is missing; {remedy}")
    if sha256(path) != record.sha256:
        raise SVHNError(f"{path} is damaged or is not the file that {record_path(folder, name)} describes; {remedy}")
    try:
        model = _load(path)
    except Exception as error:  # Keras passes on the exceptions of its layers.
        reason = one_line(error)
        raise SVHNError(f"{path} cannot be loaded by Keras {keras.__version__} ({reason}); {remedy}") from error
    return model, record


def _load(path: Path) -> keras.Model:
    """Unpacks a file and loads its parts: from the archive itself, Keras would hold all weights three times at once."""
    with contextlib.suppress(OSError), tempfile.TemporaryDirectory(prefix="svhn-model-") as folder:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)
        return keras.saving.load_model(folder, safe_mode=True)
    return keras.saving.load_model(path, safe_mode=True)  # There is no room for the parts.


def _round_to_bfloat16(weight: np.ndarray) -> np.ndarray:
    return weight.astype(ml_dtypes.bfloat16).astype(weight.dtype) if weight.dtype == np.float32 else weight


def _deflate(path: Path) -> None:
    """Compresses the archive that Keras wrote, and takes the optimizer out of it, which the record holds.

    Keras does not compress. It names optimizers by backend, so a network compiled under PyTorch would not load where
    only TensorFlow is installed.
    """
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    config = json.loads(members["config.json"])
    config.pop("compile_config", None)
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for filename, content in members.items():
            archive.writestr(filename, content)
