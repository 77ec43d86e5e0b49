"""Mounts a number on a house and sees it from the street: the masks of its ink, plaque, rim and extras."""

import itertools
import math
from typing import NamedTuple

import cv2
import numpy as np

from svhn.drawn.camera import BOX, Frame, frame
from svhn.drawn.house_numbers import HouseNumber, pick
from svhn.drawn.typefaces import GLYPH_HEIGHT, Glyph, glyph, typefaces

# The sign's plane around the digit, in pixels of glyphs; the digit is in the middle.
HEIGHT, WIDTH = 128, 232
MIDDLE = WIDTH / 2, HEIGHT / 2
PLAQUES = ("none", "board", "rounded", "oval", "tiles", "band")
PLAQUE_STEPS = np.cumsum((0.50, 0.22, 0.09, 0.06, 0.05, 0.08))


class View(NamedTuple):
    """A sign as the camera sees it, in the photo's pixels: float32 (side, side) each, 0..1.

    Attributes:
        ink: The digits.
        plaque: The plaque behind them; all 0 where they are on the wall.
        rim: The plaque's frame.
        extras: Screws, lines, small print.
        frame: The place of the digit's box.
    """

    ink: np.ndarray
    plaque: np.ndarray
    rim: np.ndarray
    extras: np.ndarray
    frame: Frame

    @property
    def side(self) -> int:
        """Pixels of the photo along the scene."""
        return self.frame.side


class _Layout(NamedTuple):
    """Glyphs with their middles and angles on the sign's plane, and the factor by which the sign is narrowed."""

    glyphs: list[Glyph]
    middles: list[tuple[float, float]]
    angles: list[float]
    stretch: float


def view_sign(rng: np.random.Generator, number: HouseNumber) -> View:
    """Mounts a number and views one of its digits, with the digit's box in the middle of the scene."""
    ink_height = min(max(rng.normal(0.8, 0.11), 0.45), 1.04)
    layout = _lay_out(rng, number, ink_height)
    planes = [np.zeros((HEIGHT, WIDTH), np.uint8) for _ in range(4)]
    for one, middle, angle in zip(layout.glyphs, layout.middles, layout.angles, strict=True):
        _put(planes[0], one.ink, middle, angle)
    _mount(rng, planes, layout)
    _add_extras(rng, planes[3], layout)
    # Most signs have no plaque or extras, and an empty plane stays empty in any view.
    used = [place for place, plane in enumerate(planes) if place == 0 or plane.any()]
    seen = cv2.merge([planes[place] for place in used])
    photo = frame(number.box_height)
    side, scene = photo.side, photo.side * photo.detail
    viewpoint = _viewpoint(rng, number, photo, layout.stretch, ink_height)
    seen = cv2.warpPerspective(seen, viewpoint, (scene, scene), borderMode=cv2.BORDER_REPLICATE)
    ink, *others = cv2.split(seen)
    seen = cv2.merge([_weight(rng, ink, photo.box * photo.detail / BOX), *others])
    # Each pixel of a photo averages the light on it. Averaging before painting gives the same as averaging after it,
    # on a fifth of the pixels.
    seen = cv2.resize(seen, (side, side), interpolation=cv2.INTER_AREA)
    shares = np.zeros((len(planes), side, side), np.float32)
    for place, plane in zip(used, cv2.split(seen), strict=True):
        shares[place] = plane.astype(np.float32) * np.float32(1 / 255)
    ink, plaque, rim, extras = shares
    return View(ink, plaque, rim, extras, photo)


def _lay_out(rng: np.random.Generator, number: HouseNumber, ink_height: float) -> _Layout:
    """Sets the digits side by side, at the number's spacing."""
    names, steps = typefaces()
    name = names[pick(rng, steps)]
    glyphs = [glyph(name, digit) for digit in number.digits]
    # The typeface's own pitch and the wanted one differ: the digits are narrowed first, then spaced.
    natural = sum(one.advance for one in glyphs) / len(glyphs) / GLYPH_HEIGHT
    wanted = number.spacing / ink_height
    stretch = min(max(wanted / natural / (1 + rng.normal(0.06, 0.09)), 0.55), 1.15)
    # Narrow digits stand closer, unless each has its own place on a plate.
    pitch, even = wanted / stretch * GLYPH_HEIGHT, rng.random() < 0.15
    room = [pitch * (1 if even else width) for width in number.widths]
    x, bend = 0.0, rng.normal(0, 0.0016) if rng.random() < 0.12 else 0.0
    across = [x]
    for left, right in itertools.pairwise(room):
        x += (left + right) / 2
        across.append(x)
    middle = (across[0] + across[-1]) / 2
    unsteady = 1.2 if rng.random() < 0.25 else 0.2
    down = [bend * (x - middle) ** 2 + rng.normal(0, unsteady) for x in across]
    here = across[number.position], down[number.position]
    middles = [(x - here[0] + MIDDLE[0], y - here[1] + MIDDLE[1]) for x, y in zip(across, down, strict=True)]
    angles = [2 * bend * (x - middle) + rng.normal(0, 0.012 * unsteady) for x in across]
    return _Layout(glyphs, middles, angles, stretch)


def _put(plane: np.ndarray, ink: np.ndarray, middle: tuple[float, float], angle: float) -> None:
    """Lays a glyph on the plane, at whole pixels, cut off where the plane ends."""
    height, width = ink.shape
    if abs(angle) > 0.01:
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -math.degrees(angle), 1)
        ink = cv2.warpAffine(ink, matrix, (width, height))
    top, left = round(middle[1] - height / 2), round(middle[0] - width / 2)
    first_row, first_column = max(top, 0), max(left, 0)
    last_row, last_column = min(top + height, HEIGHT), min(left + width, WIDTH)
    if first_row < last_row and first_column < last_column:
        target = plane[first_row:last_row, first_column:last_column]
        np.maximum(target, ink[first_row - top : last_row - top, first_column - left : last_column - left], out=target)


def _weight(rng: np.random.Generator, ink: np.ndarray, scale: float) -> np.ndarray:
    """Makes strokes a little thicker or thinner, with the soft corners of paint or cast metal."""
    soft = cv2.GaussianBlur(ink, (0, 0), rng.uniform(0.8, 2.0) * scale)
    level = rng.uniform(55, 150)
    return cv2.convertScaleAbs(cv2.max(cv2.subtract(soft, level - 40), 0), alpha=255 / 80)


def _extent(layout: _Layout) -> tuple[float, float, float, float]:
    """The number's left, top, right and bottom on the plane."""
    left = layout.middles[0][0] - layout.glyphs[0].width / 2
    right = layout.middles[-1][0] + layout.glyphs[-1].width / 2
    rows = [y for _, y in layout.middles]
    return left, min(rows) - GLYPH_HEIGHT / 2, right, max(rows) + GLYPH_HEIGHT / 2


def _mount(rng: np.random.Generator, planes: list[np.ndarray], layout: _Layout) -> None:
    """Puts a plaque behind the digits, or none, and often a frame around it."""
    _, plaque, rim, _ = planes
    kind = PLAQUES[pick(rng, PLAQUE_STEPS)]
    if kind == "none":
        return
    left, top, right, bottom = _extent(layout)
    gap_x, gap_y = rng.uniform(3, 26) / layout.stretch, rng.uniform(3, 22)
    thickness = int(rng.integers(1, 5)) if rng.random() < 0.55 else 0
    inset = int(rng.integers(0, 5))
    if kind == "tiles":
        half_height = GLYPH_HEIGHT / 2 + gap_y
        for one, (x, y) in zip(layout.glyphs, layout.middles, strict=True):
            half = one.width / 2 + min(gap_x, 9)
            _plate(planes, (x - half, y - half_height, x + half, y + half_height), 0, thickness, inset)
    elif kind == "oval":
        centre = round((left + right) / 2), round((top + bottom) / 2)
        axes = round((right - left) * 0.62 + gap_x), round((bottom - top) * 0.68 + gap_y)
        cv2.ellipse(plaque, centre, axes, 0, 0, 360, 255, -1, cv2.LINE_AA)
        if thickness:
            cv2.ellipse(rim, centre, (axes[0] - inset, axes[1] - inset), 0, 0, 360, 255, thickness, cv2.LINE_AA)
    elif kind == "band":
        _plate(planes, (-20, top - gap_y, WIDTH + 20, bottom + gap_y), 0, thickness, inset)
    else:
        # Street names, house names and further numbers share the plaque at times.
        more = rng.exponential(12, 4) * (rng.random(4) < 0.3)
        corners = left - gap_x - more[0], top - gap_y - more[1], right + gap_x + more[2], bottom + gap_y + more[3]
        _plate(planes, corners, rng.uniform(6, 20) if kind == "rounded" else 0, thickness, inset)


def _plate(planes: list[np.ndarray], corners: tuple[float, ...], radius: float, thickness: int, inset: int) -> None:
    """Draws a rectangle with corners of a radius, and a line along its edge."""
    for plane, inward, width in ((planes[1], 0, -1), (planes[2], inset, thickness)):
        if width == 0:
            continue
        left, top, right, bottom = (
            round(place) + sign * inward for place, sign in zip(corners, (1, 1, -1, -1), strict=True)
        )
        if radius and width < 0:
            r = round(min(radius, (right - left) / 2, (bottom - top) / 2))
            cv2.rectangle(plane, (left + r, top), (right - r, bottom), 255, -1)
            cv2.rectangle(plane, (left, top + r), (right, bottom - r), 255, -1)
            for x in (left + r, right - r):
                for y in (top + r, bottom - r):
                    cv2.circle(plane, (x, y), r, 255, -1, cv2.LINE_AA)
        else:
            cv2.rectangle(plane, (left, top), (right, bottom), 255, width)


def _add_extras(rng: np.random.Generator, plane: np.ndarray, layout: _Layout) -> None:
    """Adds screws beside the number, lines above or below it, small print, a dash or a letter after it."""
    left, top, right, bottom = _extent(layout)
    middle = (top + bottom) / 2
    if rng.random() < 0.10:
        radius = int(rng.integers(1, 4))
        for x in (left - rng.uniform(6, 16), right + rng.uniform(6, 16)):
            cv2.circle(plane, (round(x), round(middle + rng.normal(0, 3))), radius, 255, -1, cv2.LINE_AA)
    if rng.random() < 0.10:
        y = round(top - rng.uniform(5, 22) if rng.random() < 0.5 else bottom + rng.uniform(5, 22))
        thickness = int(rng.integers(1, 6))
        cv2.line(plane, (round(left - rng.uniform(0, 90)), y), (round(right + rng.uniform(0, 90)), y), 255, thickness)
    if rng.random() < 0.06:
        x = round(left - rng.uniform(6, 26) if rng.random() < 0.5 else right + rng.uniform(6, 26))
        cv2.line(plane, (x, 0), (x, HEIGHT), 255, int(rng.integers(1, 9)))
    if rng.random() < 0.08:
        y = round(top - rng.uniform(6, 12) if rng.random() < 0.5 else bottom + rng.uniform(16, 24))
        words = "".join("AEHILMNORSTU "[letter] for letter in rng.integers(13, size=12))
        cv2.putText(plane, words, (round(left - 10), y), cv2.FONT_HERSHEY_SIMPLEX, rng.uniform(0.3, 0.6), 255, 1)
    if rng.random() < 0.05:
        letter, size = "ABCFN-/."[rng.integers(8)], rng.uniform(0.8, 2.0)
        x = right + rng.uniform(3, 10) if rng.random() < 0.6 else left - 18 * size - rng.uniform(3, 10)
        cv2.putText(plane, letter, (round(x), round(bottom)), cv2.FONT_HERSHEY_SIMPLEX, size, 255, round(3 * size))


def _viewpoint(
    rng: np.random.Generator, number: HouseNumber, photo: Frame, stretch: float, ink_height: float
) -> np.ndarray:
    """The 3x3 perspective from the sign's plane to the scene, in which the digit's box fills the middle."""
    box = photo.box * photo.detail
    scale = box * ink_height / GLYPH_HEIGHT
    # The next digit stands lower where the sign hangs askew or the camera does not look straight at it. Boxes end on
    # whole pixels, which alone makes a slope of a few hundredths.
    slope = math.copysign(min(max(abs(number.slope) - 0.03, 0) * 0.8, 0.25), number.slope)
    askew = rng.random()
    angle, rise = math.atan(slope) * askew + rng.normal(0, 0.02), slope * (1 - askew)
    slant = min(max(rng.normal(0, 0.05), -0.2), 0.2)
    cosine, sine, across = math.cos(angle), math.sin(angle), stretch * scale
    # Rotation times shear times size, about the digit's middle.
    linear = (
        ((cosine - sine * rise) * across, (cosine * slant - sine) * scale),
        ((sine + cosine * rise) * across, (sine * slant + cosine) * scale),
    )
    tilt = rng.normal(0, 0.0012), rng.normal(0, 0.0007)
    # Digits are not marked exactly in their middle.
    middle = photo.side * photo.detail / 2
    place = middle + rng.normal(0, 0.035) * box, middle + rng.normal(0.012, 0.032) * box
    rows = [[a, b, -a * MIDDLE[0] - b * MIDDLE[1]] for a, b in linear]
    last = [tilt[0] * x + tilt[1] * y for x, y in zip(*rows, strict=True)]
    last[2] += 1
    return np.array(
        [[x + here * z for x, z in zip(row, last, strict=True)] for row, here in zip(rows, place, strict=True)] + [last]
    )
