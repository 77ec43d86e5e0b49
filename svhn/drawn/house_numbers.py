"""Which numbers stand on houses, how large and in which colours: draws from the tables in `fitted/`."""

import json
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from svhn.digits import LUMA
from svhn.drawn.typefaces import FOLDER
from svhn.errors import SVHNError

# What light and shadow add to the spread of brightness is taken from the tables' beforehand.
MIDDLE_GREY, SPREAD = np.float32(101), 1.06
COLOUR_CONTRAST = 1.42


class HouseNumber(NamedTuple):
    """A number on a house and how one of its digits was marked in a photo.

    Attributes:
        digits: From left to right, 1 to 4 of them.
        position: Of the marked digit.
        box_height: Of the box around it, pixels of the photo.
        spacing: From the middle of one digit to that of the next, box heights, on an average.
        slope: How far the next digit stands lower, per distance to it.
        widths: How much room each digit takes up, on an average of 1: a 1 has less of it.
    """

    digits: tuple[int, ...]
    position: int
    box_height: float
    spacing: float
    slope: float
    widths: tuple[float, ...]


class Colours(NamedTuple):
    """The colours of a digit and its ground: float32 (3,) each, red, green and blue, 0..255."""

    ink: np.ndarray
    ground: np.ndarray


def house_number(rng: np.random.Generator) -> HouseNumber:
    """Draws a number and one of its digits, each as likely as the others."""
    table = tables()
    length = 1 + pick(rng, table["length_steps"])
    position = int(rng.integers(length))
    digits = tuple(pick(rng, steps) for steps in table["digit_steps"][length - 1])
    height, spacing, slope = (_between(rng, table[name]) for name in ("box_height", "spacing", "slope"))
    height = table["size_factor"] * height ** table["size_power"]
    return HouseNumber(digits, position, height, spacing, slope, tuple(table["widths"][digit] for digit in digits))


def colours(rng: np.random.Generator, contrast: float = 1.0, least: float = 0.0) -> Colours:
    """Draws the colours of a digit and its ground.

    Args:
        rng: Decides.
        contrast: Factor on the difference between the two.
        least: Their mean difference over red, green and blue is at least this (or nearly: after a few tries it is
            left at that), or no person could have marked the digit.
    """
    table = tables()
    for _ in range(6):
        component = pick(rng, table["colour_steps"])
        normal = rng.standard_normal(6, np.float32)
        drawn = table["colour_means"][component] + table["colour_factors"][component] @ normal
        middle, half = drawn[:3] + drawn[3:] / 2, drawn[3:] * np.float32(contrast / 2)
        if abs(float(half.sum())) * 2 / 3 >= least:
            break
    # Cameras keep colour at half the sharpness of brightness, so that more of its contrast is lost in photos.
    luma = half @ LUMA
    half = luma + (half - luma) * np.float32(COLOUR_CONTRAST)
    middle = MIDDLE_GREY + (middle - MIDDLE_GREY) * np.float32(SPREAD)
    return Colours(*(np.minimum(np.maximum(colour, 4), 255) for colour in (middle + half, middle - half)))


def digit_shares() -> np.ndarray:
    """The share of each digit among those drawn, by the tables, float64 (10,)."""
    table = tables()
    lengths = np.diff(table["length_steps"], prepend=0)
    by_length = [np.diff(steps, prepend=0).mean(axis=0) for steps in table["digit_steps"]]
    return lengths @ np.array(by_length)


def pick(rng: np.random.Generator, steps: np.ndarray) -> int:
    """An index drawn by cumulative shares; four times as fast as rng.choice, which checks its arguments each time."""
    return min(int(steps.searchsorted(rng.random(), side="right")), len(steps) - 1)


def _between(rng: np.random.Generator, quantiles: list[float]) -> float:
    """A value drawn from quantiles at equal steps, straight between them."""
    place = rng.random() * (len(quantiles) - 1)
    index = int(place)
    return quantiles[index] + (place - index) * (quantiles[index + 1] - quantiles[index])


@cache
def tables() -> dict[str, Any]:
    """The fitted tables of numbers and colours, made ready to be drawn from.

    Raises:
        SVHNError: A table is missing or damaged.
    """
    numbers, mixture = _table("house_numbers.json"), _table("colours.json")
    try:
        # A number of four digits turns up four times as often among digits as among numbers.
        weights = np.array(numbers["length_shares"]) * np.arange(1, len(numbers["length_shares"]) + 1)
        return {
            "length_steps": _steps(weights),
            "digit_steps": [np.array([_steps(row) for row in rows]) for rows in numbers["digit_shares"]],
            "widths": _widths(numbers),
            "colour_steps": _steps(mixture["shares"]),
            "colour_means": np.array(mixture["means"], np.float32),
            "colour_factors": np.array(mixture["factors"], np.float32),
            **{name: numbers[name] for name in ("box_height", "size_factor", "size_power", "spacing", "slope")},
        }
    except (KeyError, TypeError, ValueError) as error:
        raise SVHNError(f"{FOLDER}: its tables are damaged ({error!r}); restore them from git") from error


def _widths(numbers: dict[str, Any]) -> list[float]:
    """The median width of each digit's boxes, over that of all."""
    medians = np.median(numbers["box_width"], axis=1)
    return (medians / medians.mean()).tolist()


def _steps(shares: Any) -> np.ndarray:
    shares = np.asarray(shares, np.float64)
    return np.cumsum(shares / shares.sum())


def _table(name: str) -> dict[str, Any]:
    path = FOLDER / name
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SVHNError(f"{path} is missing or damaged; restore it from git") from error
