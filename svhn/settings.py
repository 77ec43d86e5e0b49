"""The settings of a run, besides the notebook: one object, filled in one place, that travels as an argument."""

import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

from svhn.errors import SVHNError

# The number and the seed of the drawn digits to train on beside real ones. The source "drawn" has another seed.
EXTENSION_DIGITS, EXTENSION_SEED = 250_000, 2
DOWNLOAD = "imagenet"
# The precisions of networks; "auto" is the second where the processor computes in it.
FLOAT32, BFLOAT16, _ = PRECISIONS = ("float32", "bfloat16", "auto")
# The named sources of digits; anything else is a path.
SOURCES = ("openml", "mat", "extra", "parquet", "folders", "drawn")


def _length(value: Any) -> float:
    length = float(value)
    if not 0 < length < math.inf:
        raise ValueError(value)
    return length


def _whole(value: Any) -> int:
    if not str(value).isdecimal():
        raise ValueError(value)
    return int(value)


def _some(value: Any) -> int:
    if _whole(value) < 1:
        raise ValueError(value)
    return int(value)


def _precision(value: Any) -> str:
    if value not in PRECISIONS:
        raise ValueError(value)
    return str(value)


def _flag(value: Any) -> bool:
    if str(value) not in ("True", "False", "1", "0"):
        raise ValueError(value)
    return str(value) in ("True", "1")


@dataclass(frozen=True)
class Settings:
    """The settings of a run.

    Each is taken from the command line, or else from its environment variable (`SVHN_DATA` for `data`, and so on), or
    else from the notebook's parameters cell.

    Attributes:
        data: The source of the digits, as `load_digits` takes it; None for what `data/` holds.
        extend: The number of drawn digits to train on beside real ones, where these are few.
        imagenet: The source of VGG16's ImageNet weights: "imagenet" to download them, or the path of a file.
        length: The factor by which to multiply the number of batches of every training.
        force: Whether a newly trained model replaces a stored one that reads more validation digits.
        precision: The precision of networks: "float32"; "bfloat16", which is faster on the few processors that have it
            and moves a probability by up to about a hundredth; or "auto", the second where the processor has it.
        devices: The number of devices over which each batch is spread.
    """

    data: str | None = None
    extend: int = EXTENSION_DIGITS
    imagenet: str = DOWNLOAD
    length: float = 1.0
    force: bool = False
    precision: str = FLOAT32
    devices: int = 1

    @classmethod
    def choose(
        cls, *given: Mapping[str, Any], environment: Mapping[str, str] = os.environ, **parameters: Any
    ) -> "Settings":
        """Fills in the settings.

        Args:
            *given: The command line's settings; entries that are None say nothing.
            environment: The environment variables.
            **parameters: The values of the notebook's parameters cell; other names of it are passed over.

        Raises:
            SVHNError: A value is not of its kind.
        """
        chosen = {}
        for setting in (entry.name for entry in fields(cls)):
            variable = variable_of(setting)
            candidates = [
                *((f"--{setting}", one.get(setting)) for one in given),
                (f"the variable {variable}", environment.get(variable) or None),
                (f"{setting} in the notebook's parameters cell", parameters.get(setting)),
            ]
            for place, value in candidates:
                if value is not None:
                    chosen[setting] = _checked(setting, value, place)
                    break
        return cls(**chosen)


@contextmanager
def settled() -> Iterator[dict[str, str]]:
    """Hides the settings' environment variables, so that settings which were chosen before are not chosen anew.

    Yields:
        The environment without them, for child processes.
    """
    hidden = {name: os.environ.pop(name) for name in map(variable_of, _KINDS) if name in os.environ}
    try:
        yield dict(os.environ)
    finally:
        os.environ.update(hidden)


def variable_of(setting: str) -> str:
    """The name of the environment variable of a setting."""
    return f"SVHN_{setting.upper()}"


_KINDS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "data": (str, "a source of digits"),
    "extend": (_whole, "the number of drawn digits to train on as well, 0 for none"),
    "imagenet": (str, "'imagenet' or the path of a weights file"),
    "length": (_length, "a number above 0, as 4 for four times as many batches"),
    "force": (_flag, "True or False"),
    "devices": (_some, "the number of devices to train on, at least 1"),
    "precision": (_precision, " or ".join(PRECISIONS)),
}


def _checked(setting: str, value: Any, place: str) -> Any:
    convert, wanted = _KINDS[setting]
    try:
        return convert(value)
    except (TypeError, ValueError):
        raise SVHNError(f"{place} is {value!r}; give {wanted}") from None
