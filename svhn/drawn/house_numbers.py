"""Draws the numbers on houses, their sizes and their colours from the tables in `fitted/`."""

import json
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from svhn.digits import LUMA
from svhn.drawn.typefaces import FOLDER
from svhn.errors import SVHNError

# Light, shadow and haze change the spread of brightness; the second figure, fitted, makes up for that.
MIDDLE_GREY, SPREAD = np.float32(101), 1.06
COLOUR_CONTRAST = 1.42


class HouseNumber(NamedTuple):
    """A number on a house and how one of its digits was marked in a photo.

    Attributes:
        digits: The number's 1 to 4 digits, from left to right.
        position: The marked digit's index.
        box_height: The height of the box around it, in pixels of the photo.
        spacing: The mean distance between the middles of neighbouring digits, in box heights.
        slope: The drop from one digit to the next, as a share of their distance.
        widths: Each digit's relative width, 1 on average; a 1 is narrower.
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


class Tables(NamedTuple):
    """The fitted tables, made ready to be drawn from; "steps" are cumulative shares.

    Attributes:
        length_steps: The lengths of the numbers that a digit belongs to, float64 (4,).
        digit_steps: For each length, the digits at each position, float64 (length, 10).
        widths: Each digit's relative width.
        box_height, spacing, slope: Quantiles at equal steps of probability.
        size_factor, size_power: Turn a box height in the training photos into one in all photos.
        colour_steps: The components of the mixture of colours, float64 (n,).
        colour_means: Their means, float32 (n, 6): the ground's red, green and blue, and the ink's above these.
        colour_factors: Their covariances' lower triangles, float32 (n, 6, 6).
    """

    length_steps: np.ndarray
    digit_steps: list[np.ndarray]
    widths: list[float]
    box_height: list[float]
    spacing: list[float]
    slope: list[float]
    size_factor: float
    size_power: float
    colour_steps: np.ndarray
    colour_means: np.ndarray
    colour_factors: np.ndarray


def house_number(rng: np.random.Generator) -> HouseNumber:
    """Draws a number and one of its digits, each as likely as the others."""
    table = tables()
    length = 1 + pick(rng, table.length_steps)
    position = int(rng.integers(length))
    digits = tuple(pick(rng, steps) for steps in table.digit_steps[length - 1])
    height, spacing, slope = (_between(rng, quantiles) for quantiles in (table.box_height, table.spacing, table.slope))
    height = table.size_factor * height**table.size_power
    return HouseNumber(digits, position, height, spacing, slope, tuple(table.widths[digit] for digit in digits))


def colours(rng: np.random.Generator, contrast: float = 1.0, least: float = 0.0) -> Colours:
    """Draws the colours of a digit and its ground.

    Args:
        rng: The source of chance.
        contrast: A factor on the difference between the two.
        least: The least mean difference over red, green and blue; a fainter digit nobody could have marked. After six
            tries a smaller one is kept.
    """
    table = tables()
    for _ in range(6):
        component = pick(rng, table.colour_steps)
        normal = rng.standard_normal(6, np.float32)
        drawn = table.colour_means[component] + table.colour_factors[component] @ normal
        middle, half = drawn[:3] + drawn[3:] / 2, drawn[3:] * np.float32(contrast / 2)
        if abs(float(half.sum())) * 2 / 3 >= least:
            break
    # Cameras keep colour at half the sharpness of brightness, so photos lose more of its contrast.
    luma = half @ LUMA
    half = luma + (half - luma) * np.float32(COLOUR_CONTRAST)
    middle = MIDDLE_GREY + (middle - MIDDLE_GREY) * np.float32(SPREAD)
    return Colours(*(np.minimum(np.maximum(colour, 4), 255) for colour in (middle + half, middle - half)))


def pick(rng: np.random.Generator, steps: np.ndarray) -> int:
    """Draws an index by cumulative shares, four times as fast as rng.choice, which checks its arguments each time."""
    return min(int(steps.searchsorted(rng.random(), side="right")), len(steps) - 1)


def _between(rng: np.random.Generator, quantiles: list[float]) -> float:
    """Draws a value from quantiles at equal steps of probability, by linear interpolation."""
    place = rng.random() * (len(quantiles) - 1)
    index = int(place)
    return quantiles[index] + (place - index) * (quantiles[index + 1] - quantiles[index])


@cache
def tables() -> Tables:
    """Loads the fitted tables of numbers and colours.

    Raises:
        SVHNError: A table is missing or damaged.
    """
    numbers, mixture = _table("house_numbers.json"), _table("colours.json")
    try:
        # A number of four digits turns up four times as often among digits as among numbers.
        weights = np.array(numbers["length_shares"]) * np.arange(1, len(numbers["length_shares"]) + 1)
        widths = np.median(numbers["box_width"], axis=1)
        return Tables(
            length_steps=_steps(weights),
            digit_steps=[np.array([_steps(row) for row in rows]) for rows in numbers["digit_shares"]],
            widths=(widths / widths.mean()).tolist(),
            colour_steps=_steps(mixture["shares"]),
            colour_means=np.array(mixture["means"], np.float32),
            colour_factors=np.array(mixture["factors"], np.float32),
            **{name: numbers[name] for name in ("box_height", "size_factor", "size_power", "spacing", "slope")},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SVHNError(f"{FOLDER}: its tables are damaged ({error!r}); restore them from git") from error


def _steps(shares: Any) -> np.ndarray:
    shares = np.asarray(shares, np.float64)
    return np.cumsum(shares / shares.sum())


def _table(name: str) -> dict[str, Any]:
    path = FOLDER / name
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SVHNError(f"{path} is missing or damaged; restore it from git") from error
