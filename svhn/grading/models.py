"""Loads a stranger's model: its description is rebuilt from known names, its numbers counted before they are read.

Call it in a process of its own (`run_isolated`): HDF5 and TensorFlow are written in C, and meet the file here.
"""

import copy
import json
import math
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py

from svhn.backend import keras
from svhn.files import NoRoom, is_no_room, temporary_folder
from svhn.grading.reading.causes import cause_of
from svhn.grading.reading.curves import read_json
from svhn.grading.reading.descriptions import SIDE, is_architecture, lacks_shape, rebuilt
from svhn.grading.reading.files import WHOLE_MODEL, kind_of, reason_for_no_data
from svhn.grading.reading.weights import WEIGHT_BYTES, check_weights, innermost, load_weights
from svhn.sandbox.process import Refused

PARAMETERS = 60_000_000
LAYERS = 1000
_CONFIG_BYTES = 20_000_000
# Shapes to try for a network that does not say its own.
_SHAPES = ((SIDE, SIDE, 3), (SIDE, SIDE, 1), (SIDE * SIDE * 3,), (SIDE * SIDE,), (SIDE, SIDE))


def load_untrusted(path: Path, beside: Sequence[Path] = ()) -> keras.Model:
    """Loads a model of a hand-in, in any form that the course has seen and under any suffix.

    Args:
        path: A `.keras` archive (Keras 2.12 or later), a whole HDF5 file (Keras 2 or 3), or a JSON file (a network's
            description), whose weights are in an HDF5 file beside it.
        beside: The files that the weights of a description may be: those of the hand-in that were not refused.

    Returns:
        The model, not compiled.

    Raises:
        Refused: The file is damaged, too large unpacked, or holds anything but Keras's own layers.
    """
    if reason := reason_for_no_data(path):
        raise Refused(reason)
    loaders = {"zip": _load_keras, "hdf5": _load_h5}
    try:
        kind = kind_of(path)
        if kind == "json":
            return _load_pair(path, beside)
        if kind in loaders:
            return loaders[kind](path)
    except (Refused, NoRoom, MemoryError, RecursionError):
        raise
    except Exception as error:  # Keras, HDF5 and zipfile raise whatever a damaged file makes them run into.
        if is_no_room(error):
            raise NoRoom(f"cannot unpack {path.name} ({cause_of(error)}); free some space or set TMPDIR") from error
        raise Refused(f"{path.name} cannot be loaded ({cause_of(error)})") from error
    raise Refused(f"{path.name} cannot be loaded: it is neither HDF5 nor a .keras archive; {WHOLE_MODEL}")


def is_network(path: Path) -> bool:
    """Whether a file is a whole model or a network's description, by its content."""
    kind = kind_of(path)
    try:
        if kind == "json":
            return is_architecture(read_json(path))
        if kind == "zip":
            with zipfile.ZipFile(path) as archive:
                return "config.json" in archive.namelist()
        if kind == "hdf5":
            with h5py.File(path) as file:
                return "model_config" in file.attrs
    except (Refused, OSError, zipfile.BadZipFile):
        return False
    return False


def weights_beside(path: Path, beside: Sequence[Path]) -> Path | None:
    """The one of some files that holds the weights of a JSON description, None where `path` needs no other."""
    if kind_of(path) != "json":
        return None
    same = [other for other in beside if other != path and kind_of(other) == "hdf5" and not is_network(other)]
    # A file of the description's name comes first; any other beside it may hold its weights, too.
    return min(
        same,
        key=lambda other: (not other.name.lower().startswith(_stem(path).lower()), len(other.name), other.name),
        default=None,
    )


def _stem(path: Path) -> str:
    return re.sub(r"(?:\.weights)?\.\w+$", "", path.name)


def _load_keras(path: Path) -> keras.Model:
    with zipfile.ZipFile(path) as archive, temporary_folder("svhn-model-") as folder:
        config = json.loads(_member(archive, "config.json", _CONFIG_BYTES, path))
        weights = folder / "model.weights.h5"
        weights.write_bytes(_member(archive, "model.weights.h5", WEIGHT_BYTES, path))
        return _assemble(config, weights, path)


def _load_pair(path: Path, beside: Sequence[Path]) -> keras.Model:
    weights = weights_beside(path, beside)
    if weights is None:
        raise Refused(
            f"{path.name} describes a network, but there is no {_stem(path)}.h5 with its weights; {WHOLE_MODEL}"
        )
    return _assemble(read_json(path), weights, path)


def _load_h5(path: Path) -> keras.Model:
    with h5py.File(path) as file:
        config = file.attrs.get("model_config")
    if config is None:
        raise Refused(
            f"{path.name} holds weights only, and there is no {_stem(path)}.json that describes the network; "
            f"{WHOLE_MODEL}"
        )
    return _assemble(json.loads(config), path, path)


def _member(archive: zipfile.ZipFile, name: str, limit: int, path: Path) -> bytes:
    try:
        with archive.open(name) as member:
            # Counted as it unpacks: an archive may lie about its own size.
            content = member.read(limit + 1)
    except KeyError:
        saved = "saved_model.pb" in {Path(item).name for item in archive.namelist()}
        reason = "it is a packed SavedModel folder, a program, which is not run here" if saved else f"it has no {name}"
        raise Refused(f"{path.name} is not a Keras model: {reason}; {WHOLE_MODEL}") from None
    if len(content) > limit:
        raise Refused(f"{path.name} was refused: its {name} unpacks to more than {limit // 1_000_000} MB")
    return content


def _assemble(description: Any, weights: Path, path: Path) -> keras.Model:
    check_weights(weights, path.name)
    clean = rebuilt(description, path.name)
    if not lacks_shape(clean):
        return _built(clean, weights, path)
    problem: Exception = ValueError("it says no shape of input")
    for shape in _SHAPES:
        try:
            return _built(rebuilt(description, path.name, shape), weights, path)
        except Refused:
            raise
        except Exception as error:  # Of the shapes that it may read, only one fits its weights.
            problem = error
    raise Refused(f"{path.name} says no shape of input, and none of digits fits its weights ({cause_of(problem)})")


def _built(clean: dict[str, Any], weights: Path, path: Path) -> keras.Model:
    # Counted without a number allocated: a description of a few bytes may ask for a billion of them.
    with keras.StatelessScope(initialize_variables=False):
        described = keras.saving.deserialize_keras_object(copy.deepcopy(clean), safe_mode=True)
        count = sum(math.prod(variable.shape) for variable in described.variables)
    if (layers := sum(1 for _ in innermost(described))) > LAYERS:
        raise Refused(f"{path.name} was refused: {layers:,} layers are over the limit of {LAYERS:,}")
    if count > PARAMETERS:
        raise Refused(f"{path.name} was refused: {count:,} parameters are over the limit of {PARAMETERS:,}")
    keras.backend.clear_session()
    model = keras.saving.deserialize_keras_object(clean, safe_mode=True)
    if not isinstance(model, keras.Model):
        raise Refused(f"{path.name} describes no model")
    load_weights(model, weights)
    return model
