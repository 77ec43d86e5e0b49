"""Pickles of strangers: plain containers and numbers, and tables and arrays of them; nothing that they name is run."""

import collections
import io
import itertools
import pickle
import struct
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from svhn.grading.reading.causes import cause_of
from svhn.sandbox.process import Refused

_LONGEST = 1_000_000
REMEDY = "hand in history.history, a dictionary of four lists of numbers"


def unpickled(content: bytes, where: str) -> Any:
    """Plain containers, text and numbers out of a pickle; NumPy's arrays become lists, pandas's tables dictionaries.

    Args:
        content: The pickle.
        where: The file's name, for the reason.

    Raises:
        Refused: It names anything else, or is damaged.
    """
    try:
        return _plain(_Unpickler(io.BytesIO(content)).load())
    except Refused as error:
        raise Refused(f"{where} was not unpickled: {error}; {REMEDY}") from error
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # A damaged pickle makes pickle raise whatever it runs into.
        raise Refused(f"{where} cannot be unpickled ({cause_of(error)}); {REMEDY}") from error


class _Unpickler(pickle.Unpickler):
    """Whatever a pickle names is looked up here, and only here: functions of ours in place of NumPy's."""

    def find_class(self, module: str, name: str) -> Any:
        found = _ADMITTED.get((module, name))
        if found is None and module.split(".")[0] in ("pandas", "pyarrow"):
            found = _KEPT.get(name)
        if found is None:
            raise Refused(f"it names {module}.{name}, where plain numbers are wanted"[:200])
        return found

    def persistent_load(self, key: Any) -> Any:
        raise Refused("it refers to an object outside itself")


class _NumberType:
    """Stands for NumPy's type of a number, of which only its code is kept."""

    def __init__(self, code: Any, *_: Any) -> None:
        if code not in _CODES and code != "O8":
            raise Refused("it holds a NumPy object that is no number")
        self.code = code
        self.order = "<"

    def __setstate__(self, state: Any) -> None:
        self.order = ">" if isinstance(state, tuple) and len(state) > 1 and state[1] == ">" else "<"


class _Array:
    """Stands for NumPy's array, of which only the numbers are kept, as lists."""

    def __init__(self) -> None:
        self.values: Any = None

    def __setstate__(self, state: Any) -> None:
        _, shape, number_type, by_column, content = state
        self.fill(content, number_type, shape, "F" if by_column else "C")

    def fill(self, content: Any, number_type: Any, shape: Any, order: Literal["C", "F"]) -> None:
        if not isinstance(number_type, _NumberType) or not isinstance(shape, tuple) or len(shape) > 2:
            raise Refused("it holds an array that is no table of numbers")
        if any(not isinstance(side, int) or not 0 <= side <= _LONGEST for side in shape):
            raise Refused("it holds an array that is too large")
        if number_type.code == "O8":
            self.values = list(content) if isinstance(content, list) else []
            if shape == () and self.values:
                (self.values,) = self.values
            return
        if not isinstance(content, bytes | bytearray):
            raise Refused("it holds an array without its numbers")
        kind = np.dtype(number_type.order + number_type.code)
        self.values = np.frombuffer(bytes(content), kind).reshape(shape, order=order).tolist()


def _reconstruct(kind: Any, *_: Any) -> _Array:
    if kind is not _array_type:
        raise Refused("it holds a NumPy object that is no array")
    return _Array()


def _array_type(*_: Any) -> None:
    """Stands for the name of NumPy's array."""
    raise Refused("it holds a NumPy object that is no array")


def _from_buffer(content: Any, number_type: Any, shape: Any, order: Any, *_: Any) -> _Array:
    array = _Array()
    array.fill(content, number_type, shape, "F" if order == "F" else "C")
    return array


def _scalar(number_type: Any, content: Any) -> float:
    if not isinstance(number_type, _NumberType) or not isinstance(content, bytes) or number_type.code == "O8":
        raise Refused("it holds a NumPy object that is no number")
    return struct.unpack(number_type.order + _CODES[number_type.code], content)[0]


def _encode(text: Any, encoding: Any = "latin1") -> bytes:
    if not isinstance(text, str) or encoding != "latin1":
        raise Refused("it holds bytes in an unknown form")
    return text.encode("latin1")


def _bytes(content: Any = b"", *_: Any) -> bytes:
    if not isinstance(content, bytes | bytearray):
        raise Refused("it holds bytes in an unknown form")
    return bytes(content)


class _Kept:
    """Stands for an object of pandas: its arguments and state are kept as they come, and nothing is done with them."""

    arguments: tuple[Any, ...]
    state: Any

    def __new__(cls, *arguments: Any, **_: Any) -> "_Kept":
        kept = super().__new__(cls)
        kept.arguments, kept.state = arguments, None
        return kept

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Frame(_Kept):
    """Stands for pandas's table."""


_CODES = {"f2": "e", "f4": "f", "f8": "d", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I",
          "u8": "Q", "b1": "?"}  # fmt: skip
_KEPT_NAMES = (
    "BlockManager", "_unpickle_block", "Index", "RangeIndex", "Int64Index", "_new_Index", "StringDtype",
    "ArrowStringArray", "StringArray", "_restore_array", "type_for_alias", "py_buffer", "Flags", "ListAccessor",
)  # fmt: skip
_KEPT: dict[str, Any] = {name: type(name, (_Kept,), {}) for name in _KEPT_NAMES} | {"DataFrame": _Frame}
_slice: type[_Kept] = type("slice", (_Kept,), {})
_ADMITTED: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "dtype"): _NumberType,
    ("numpy", "ndarray"): _array_type,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("collections", "defaultdict"): lambda *_: {},
}
for _core in ("numpy.core", "numpy._core"):
    _ADMITTED |= {
        (f"{_core}.multiarray", "scalar"): _scalar,
        (f"{_core}.multiarray", "_reconstruct"): _reconstruct,
        (f"{_core}.numeric", "_frombuffer"): _from_buffer,
    }
for _builtins in ("builtins", "__builtin__"):
    _ADMITTED |= {
        (_builtins, "slice"): _slice,
        (_builtins, "bytearray"): _bytes,
        (_builtins, "bytes"): _bytes,
        (_builtins, "list"): lambda *_: [],
    }


def _plain(value: Any) -> Any:
    """Unpickled values in Python's own containers."""
    if isinstance(value, _Array):
        return _plain(value.values)
    if isinstance(value, _Frame):
        return _table(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise Refused(f"it holds a {type(value).__name__.lstrip('_')}, where plain numbers are wanted")


def _table(frame: _Frame) -> dict[str, Any]:
    """Columns by name; a table of an unknown form raises, and is told as a damaged pickle."""
    state = frame.state
    manager = state.get("_mgr", state.get("_data"))
    if manager.state is not None:  # As pandas did before 1.3.
        inner = manager.state[3]["0.14.1"]
        axes, blocks = inner["axes"], [(block["values"], block["mgr_locs"]) for block in inner["blocks"]]
    else:
        blocks, axes = manager.arguments
        blocks = [block.arguments[:2] for block in blocks]
    names, table = _names(axes[0]), {}
    for values, places in blocks:
        try:
            rows = _plain(values)
        except Refused:  # A column of texts, say.
            continue
        which = places.arguments if isinstance(places, _slice) else None
        positions = range(*which) if which else _plain(places)
        for position, row in zip(positions, rows, strict=True):
            table[names[position]] = row
    return table


def _names(index: _Kept) -> list[str]:
    """The names of an index of pandas."""
    data = index.arguments[1].get("data")
    if isinstance(data, _Array):
        return [str(name) for name in data.values]
    if isinstance(data.state, dict) and "_ndarray" in data.state:
        return [str(name) for name in data.state["_ndarray"].values]
    kind, count, _, start, buffers = data.state["_pa_array"].arguments[0][:5]
    code = "q" if "large" in kind.arguments[0] else "i"
    places, text = (buffer.arguments[0] for buffer in buffers[1:3])
    ends = struct.unpack_from(f"<{count + 1}{code}", places, start * struct.calcsize(f"<{code}"))
    return [bytes(text[low:high]).decode() for low, high in itertools.pairwise(ends)]
