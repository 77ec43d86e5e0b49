"""Dataclasses from JSON, with the type of every part checked, and JSON from dataclasses."""

import json
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin

from svhn.errors import SVHNError

Kind = TypeVar("Kind")
_SHOWN = 60


def from_json(kind: type[Kind], content: Any) -> Kind:
    """Makes a dataclass, or a list or dictionary of dataclasses, of JSON.

    Its fields may be of the types text, bool, int, float, `Any`, other dataclasses, lists and dictionaries of these, or
    of one of them or None. Fields with a default may be missing. Entries of an object without a field are passed over.

    Args:
        kind: The dataclass.
        content: The result of `json.loads`.

    Returns:
        An instance of `kind`.

    Raises:
        ValueError: A part is missing or of another type; the text names it.
    """
    return _read(kind, content, "it")


def read_json(path: Path, kind: type[Kind], remedy: str) -> Kind:
    """Reads a dataclass from a JSON file, as `from_json`.

    Args:
        path: The file.
        kind: The dataclass.
        remedy: The end of the error's line.

    Returns:
        An instance of `kind`.

    Raises:
        SVHNError: The file is missing or damaged.
    """
    try:
        return from_json(kind, json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise SVHNError(f"{path} is missing; {remedy}") from None
    except (OSError, ValueError) as error:
        raise SVHNError(f"{path} is damaged ({error}); {remedy}") from error


def to_json(value: Any) -> Any:
    """A dataclass in JSON's types, in the order of its fields. An optional field that is None is left out."""
    if is_dataclass(value):
        parts = ((field, getattr(value, field.name)) for field in fields(value))
        return {field.name: to_json(part) for field, part in parts if part is not None or field.default is not None}
    if isinstance(value, dict):
        return {key: to_json(part) for key, part in value.items()}
    return [to_json(part) for part in value] if isinstance(value, list) else value


def _read(kind: Any, content: Any, place: str) -> Any:
    outer, inner = get_origin(kind), get_args(kind)
    if outer is UnionType:
        return None if content is None else _read(next(one for one in inner if one is not NoneType), content, place)
    if is_dataclass(kind) and isinstance(content, dict):
        return _read_object(kind, content, place)
    if outer is list and isinstance(content, list):
        return [_read(inner[0], part, f"{place}, {number}") for number, part in enumerate(content, start=1)]
    if outer is dict and isinstance(content, dict):
        return {key: _read(inner[1], part, _inside(place, key)) for key, part in content.items()}
    if kind is float and type(content) is int and abs(content) < 1 << 53:
        return float(content)
    if kind is Any or type(content) is kind:
        return content
    asked = (outer or kind).__name__ if not is_dataclass(kind) else "an object"
    raise ValueError(f"{place} is {repr(content)[:_SHOWN]}, not {asked}")


def _read_object(kind: Any, content: dict[str, Any], place: str) -> Any:
    values = {}
    for field in fields(kind):
        if field.name in content:
            values[field.name] = _read(field.type, content[field.name], _inside(place, field.name))
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{place} has no {field.name}")
    return kind(**values)


def _inside(place: str, name: str) -> str:
    return name[:_SHOWN] if place == "it" else f"{place}.{name[:_SHOWN]}"
