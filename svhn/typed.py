"""Dataclasses out of JSON, with the type of every part checked, and JSON out of them."""

from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin

Kind = TypeVar("Kind")
_SHOWN = 60


def from_json(kind: type[Kind], content: Any) -> Kind:
    """Makes a dataclass of a JSON object.

    Its fields may be of the types text, bool, int, float, `Any`, other dataclasses, lists and dictionaries of these, or
    of one of them or None. Fields with a default may be missing. Entries of the object that are no field are passed
    over.

    Args:
        kind: The dataclass.
        content: As `json.loads` gives it.

    Raises:
        ValueError: A part is missing or of another type; the text says which.
    """
    return _read(kind, content, "it")


def to_json(value: Any) -> Any:
    """The JSON types of a dataclass, in the order of its fields; an optional field that is None is left out."""
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
