"""Learning curves of strangers, read without trust."""

import ast
import csv
import io
import json
import math
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from svhn.errors import listed
from svhn.grading.reading.causes import cause_of
from svhn.grading.reading.files import kind_of, reason_for_no_data
from svhn.grading.reading.pickles import unpickled
from svhn.learning.records import CURVES
from svhn.sandbox.process import Refused

_BYTES = 10_000_000
_EPOCHS = 10_000
_LARGEST = 10**12
# Other names of accuracy: early Keras's, and those of a metric that was named in full.
_ACCURACIES = ("acc", "sparse_categorical_accuracy", "categorical_accuracy")
_OLD_NAMES = {f"{part}{name}": f"{part}accuracy" for name in _ACCURACIES for part in ("", "val_")}


def read_curves(path: Path) -> Any:
    """The content of a file of learning curves: JSON, a pickle, a table (CSV) or NumPy's arrays.

    Raises:
        Refused: The file holds anything else, or is damaged.
    """
    _check_size(path)
    if reason := reason_for_no_data(path):
        raise Refused(reason)
    kind = kind_of(path)
    if path.suffix.lower() in (".p", ".pkl", ".pickle", ".joblib") and kind in ("text", "unknown"):
        kind = "pickle"  # The oldest ones look like text.
    readers = {"json": _read_dictionary, "pickle": read_pickle, "text": _read_table, "npy": _read_npy, "zip": _read_npz}
    if kind not in readers:
        raise Refused(f"{path.name} holds no learning curves in a form that is read (JSON, CSV, pickle, NumPy)")
    return readers[kind](path)


def read_pickle(path: Path) -> Any:
    """Unpickles plain containers, text and numbers, and arrays and tables of them; nothing else.

    Raises:
        Refused: The file names anything else, or is damaged.
    """
    _check_size(path)
    return unpickled(path.read_bytes(), path.name)


def _read_dictionary(path: Path) -> Any:
    """A dictionary in JSON, or as Python prints it."""
    try:
        return read_json(path)
    except Refused as refused:
        try:
            return ast.literal_eval(path.read_bytes().decode("utf-8-sig", errors="replace"))
        except (SyntaxError, ValueError, TypeError):
            raise refused from None


def _read_table(path: Path) -> dict[str, list[float]]:
    """Columns of a CSV file by their heads, as `CSVLogger` and pandas write them."""
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
        names, rows = [name.strip() for name in rows[0]], [row for row in rows[1:] if row]
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
        decimal = "," if delimiter == ";" else "."
        table = {}
        for name, cells in zip(names, columns, strict=True):
            if _OLD_NAMES.get(name, name) in CURVES:
                table[name] = [float(cell.strip().replace(decimal, ".") or "nan") for cell in cells]
        return table
    except (csv.Error, ValueError, IndexError) as error:
        raise Refused(f"{path.name} is no table of learning curves ({cause_of(error)})") from error


def _read_npy(path: Path) -> Any:
    return _array(path.read_bytes(), path.name)


def _read_npz(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            found = {}
            for member in archive.infolist()[:100]:
                with archive.open(member) as file:
                    content = file.read(_BYTES + 1)
                if len(content) > _BYTES:
                    raise Refused(f"{path.name} was refused: {member.filename[:80]} unpacks to more than 10 MB")
                found[member.filename.removesuffix(".npy")] = _array(content, path.name)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise Refused(f"{path.name} cannot be read ({cause_of(error)})") from error
    # `np.savez(path, history)` calls an array without a name so.
    return found["arr_0"] if set(found) == {"arr_0"} and isinstance(found["arr_0"], dict) else found


def _array(content: bytes, where: str) -> Any:
    """An array of numbers as lists; one of objects holds a pickle, which is read as pickles are."""
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        _, _, kind = read(file)
        if not kind.hasobject:
            return np.load(io.BytesIO(content), allow_pickle=False).tolist()
    except (ValueError, EOFError, OSError) as error:
        raise Refused(f"{where} is no array of NumPy's ({cause_of(error)})") from error
    return unpickled(content[file.tell() :], where)


def read_json(path: Path) -> Any:
    """Reads JSON.

    Raises:
        Refused: The file is too large, no UTF-8 or no JSON.
    """
    _check_size(path)
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise Refused(f"{path.name} is not readable JSON ({cause_of(error)})") from error


def check_curves(content: Any, where: str, notes: list[str] | None = None) -> dict[str, list[float | None]]:
    """The four learning curves out of the content of a file.

    Args:
        content: A dictionary of curves, by Keras's names of any age; other entries are passed over.
        where: The file's name, for the reason.
        notes: Gets a line for each curve with values that are no finite number; only `val_accuracy`, which counts,
            may hold none.

    Returns:
        `loss`, `accuracy`, `val_loss` and `val_accuracy`, one number an epoch, None where it is not finite; accuracies
        are 0..1.

    Raises:
        Refused: A curve is missing, empty, no list of numbers, or has another length, or `val_accuracy` holds NaN.
    """
    notes = [] if notes is None else notes
    if isinstance(content, dict) and isinstance(content.get("history"), dict):
        content = content["history"]
    if isinstance(content, list | tuple) and content and all(isinstance(entry, dict) for entry in content):
        # One history in a list, or an entry for each epoch.
        content = content[0] if len(content) == 1 else {key: [one.get(key) for one in content] for key in content[0]}
    if not isinstance(content, dict):
        raise Refused(f"{where} holds no learning curves")
    renamed = {_OLD_NAMES.get(key, key): _in_order(value) for key, value in content.items() if isinstance(key, str)}
    missing = [name for name in CURVES if not isinstance(renamed.get(name), list | tuple) or not renamed[name]]
    if missing:
        raise Refused(f"{where} lacks the learning curve{'s' * (len(missing) > 1)} {', '.join(missing)}")
    curves = {name: _checked(name, list(renamed[name]), where, notes) for name in CURVES}
    lengths = {name: len(curve) for name, curve in curves.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise Refused(f"{where}: the learning curves are of unequal length ({listed})")
    return curves


def _in_order(value: Any) -> Any:
    """The list of a curve that pandas writes by epochs, `{"0": 0.5, "1": 0.6}`; anything else as it is."""
    if isinstance(value, dict) and value and all(str(key).isdecimal() for key in value):
        return [value[key] for key in sorted(value, key=lambda key: int(str(key)[:9]))]
    return value


def _number(value: Any) -> Any:
    """A number that is written as text, as people do to get it into JSON; anything else as it is."""
    with suppress(ValueError):
        return float(value) if isinstance(value, str) and len(value) < 50 else value
    return value


def _check_size(path: Path) -> None:
    if path.stat().st_size > _BYTES:
        raise Refused(f"{path.name} was not opened: {path.stat().st_size:,} bytes are over the limit of 10 MB")


def _checked(name: str, curve: list[Any], where: str, notes: list[str]) -> list[float | None]:
    """A curve whose every value is a number, or None where it is not finite and the curve counts for nothing."""
    if len(curve) > _EPOCHS:
        raise Refused(f"{where}: {name} has {len(curve):,} epochs, over the limit of {_EPOCHS:,}")
    values: list[float | None] = []
    for epoch, value in enumerate(curve, start=1):
        value = math.nan if value is None else _number(value)  # As JSON has it.
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Refused(f"{where}: {name} of epoch {epoch} is no number")
        if isinstance(value, int) and abs(value) > _LARGEST:  # Python's whole numbers know no limit, others' do.
            raise Refused(f"{where}: {name} of epoch {epoch} is a number of {value.bit_length():,} bits")
        if not math.isfinite(value):
            if name == "val_accuracy":
                raise Refused(f"{where}: {name} of epoch {epoch} is {value}")
            values.append(None)
            continue
        if name.endswith("accuracy") and not 0 <= value <= 1:
            raise Refused(f"{where}: {name} of epoch {epoch} is {value:g}, not between 0 and 1")
        values.append(float(value))
    if gaps := [epoch for epoch, value in enumerate(values, start=1) if value is None]:
        notes.append(f"{where}: {name} is no finite number in epoch {listed(gaps, 3)}")
    return values
