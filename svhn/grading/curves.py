"""Learning curves of strangers, read without trust."""

import json
import math
import pickle
import struct
from pathlib import Path
from typing import Any

from svhn.errors import one_line
from svhn.learning.records import CURVES
from svhn.sandbox.process import Refused

_BYTES = 10_000_000
_EPOCHS = 10_000
_LARGEST = 10**12
# Histories of early Keras call accuracy so.
_OLD_NAMES = {"acc": "accuracy", "val_acc": "val_accuracy"}


def read_pickle(path: Path) -> Any:
    """Unpickles plain containers, text and numbers, NumPy's scalars among them; nothing else.

    Raises:
        Refused: The file names anything else, or is damaged.
    """
    _check_size(path)
    try:
        with path.open("rb") as file:
            return _Unpickler(file).load()
    except Refused as error:
        raise Refused(f"{path.name} was not unpickled: {error}") from error
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # A damaged pickle makes pickle raise whatever it runs into.
        raise Refused(f"{path.name} cannot be unpickled ({one_line(error)})") from error


def read_json(path: Path) -> Any:
    """Reads JSON.

    Raises:
        Refused: The file is too large, no UTF-8 or no JSON.
    """
    _check_size(path)
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Refused(f"{path.name} is not readable JSON ({one_line(error)})") from error


def check_curves(content: Any, where: str) -> dict[str, list[float]]:
    """The four learning curves out of what a file held.

    Args:
        content: A dictionary of curves, by Keras's names of any age; other entries are passed over.
        where: The file's name, for the reason.

    Returns:
        `loss`, `accuracy`, `val_loss` and `val_accuracy`, one finite number an epoch; accuracies are 0..1.

    Raises:
        Refused: A curve is missing, empty, no list of numbers, holds NaN, or has another length.
    """
    if isinstance(content, dict) and isinstance(content.get("history"), dict):
        content = content["history"]
    if not isinstance(content, dict):
        raise Refused(f"{where} holds no learning curves")
    renamed = {_OLD_NAMES.get(key, key): value for key, value in content.items() if isinstance(key, str)}
    missing = [name for name in CURVES if not isinstance(renamed.get(name), list | tuple) or not renamed[name]]
    if missing:
        raise Refused(f"{where} lacks the learning curve{'s' * (len(missing) > 1)} {', '.join(missing)}")
    curves = {name: list(renamed[name]) for name in CURVES}
    for name, curve in curves.items():
        _check_curve(name, curve, where)
    lengths = {name: len(curve) for name, curve in curves.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise Refused(f"{where}: the learning curves are of unequal length ({listed})")
    return {name: [float(value) for value in curve] for name, curve in curves.items()}


def _check_size(path: Path) -> None:
    if path.stat().st_size > _BYTES:
        raise Refused(f"{path.name} was not opened: {path.stat().st_size:,} bytes are over the limit of 10 MB")


def _check_curve(name: str, curve: list[Any], where: str) -> None:
    if len(curve) > _EPOCHS:
        raise Refused(f"{where}: {name} has {len(curve):,} epochs, over the limit of {_EPOCHS:,}")
    for epoch, value in enumerate(curve, start=1):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Refused(f"{where}: {name} of epoch {epoch} is no number")
        if isinstance(value, int) and abs(value) > _LARGEST:  # Python's whole numbers know no limit, others' do.
            raise Refused(f"{where}: {name} of epoch {epoch} is a number of {value.bit_length():,} bits")
        if not math.isfinite(value):
            raise Refused(f"{where}: {name} of epoch {epoch} is {value}")
        if name.endswith("accuracy") and not 0 <= value <= 1:
            raise Refused(f"{where}: {name} of epoch {epoch} is {value:g}, not between 0 and 1")


class _Unpickler(pickle.Unpickler):
    """Whatever a pickle names is looked up here, and only here: functions of ours in place of NumPy's."""

    def find_class(self, module: str, name: str) -> Any:
        found = _ADMITTED.get((module, name))
        if found is None:
            raise Refused(f"it names {module}.{name}, where plain numbers are wanted"[:200])
        return found

    def persistent_load(self, key: Any) -> Any:
        raise Refused("it refers to an object outside itself")


class _NumberType:
    """Stands for NumPy's type of a number, of which only its code is kept."""

    def __init__(self, code: Any, *_: Any) -> None:
        if code not in _CODES:
            raise Refused("it holds a NumPy object that is no number")
        self.code = code
        self.order = "<"

    def __setstate__(self, state: Any) -> None:
        self.order = ">" if isinstance(state, tuple) and len(state) > 1 and state[1] == ">" else "<"


def _scalar(number_type: Any, content: Any) -> float:
    if not isinstance(number_type, _NumberType) or not isinstance(content, bytes):
        raise Refused("it holds a NumPy object that is no number")
    return struct.unpack(number_type.order + _CODES[number_type.code], content)[0]


def _encode(text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or encoding != "latin1":
        raise Refused("it holds bytes in an unknown form")
    return text.encode("latin1")


_CODES = {"f2": "e", "f4": "f", "f8": "d", "i4": "i", "i8": "q", "u1": "B"}
_ADMITTED = {
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("numpy", "dtype"): _NumberType,
    ("_codecs", "encode"): _encode,
}
