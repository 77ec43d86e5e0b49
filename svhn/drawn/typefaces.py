"""The digits of the typefaces that house numbers are drawn in, from `fitted/typefaces.zip`."""

import csv
import io
import zipfile
import zlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from svhn.errors import SVHNError

FOLDER = Path(__file__).with_name("fitted")
GLYPH_HEIGHT = 48
# The space around a glyph in its mask, for outlines and shadows.
PADDING = 4
# The share of each kind on houses, judged by the training digits of svhn-8k.
KIND_SHARES = {
    "grotesque": 0.40,
    "condensed": 0.27,
    "serif": 0.14,
    "slab": 0.06,
    "geometric": 0.06,
    "italic": 0.03,
    "display": 0.02,
    "script": 0.02,
}


class Glyph(NamedTuple):
    """A digit as ink.

    Attributes:
        ink: uint8 (GLYPH_HEIGHT + 2 PADDING, width + 2 PADDING), 255 where there is ink.
        width: The ink's width, pixels.
        advance: The typeface's distance from this digit's left to the next one's, pixels.
    """

    ink: np.ndarray
    width: int
    advance: float


@cache
def typefaces() -> tuple[tuple[str, ...], np.ndarray]:
    """The names of all typefaces, and their cumulative shares, float64 (n,).

    Raises:
        SVHNError: The table is missing or damaged.
    """
    path = FOLDER / "typefaces.csv"
    try:
        with path.open(encoding="utf-8") as file:
            rows = [(row["name"], row["kind"]) for row in csv.DictReader(file)]
        kinds = [kind for _, kind in rows]
        if not kinds:
            raise ValueError("it names no typeface")
        shares = np.array([KIND_SHARES[kind] / kinds.count(kind) for kind in kinds])
        return tuple(name for name, _ in rows), np.cumsum(shares / shares.sum())
    except (OSError, KeyError, ValueError) as error:
        raise SVHNError(f"{path} is missing or damaged; restore it from git") from error


@cache
def glyph(typeface: str, digit: int) -> Glyph:
    """One digit of a typeface, scaled to GLYPH_HEIGHT.

    Raises:
        SVHNError: The archive of typefaces is missing or damaged, or does not hold this one.
    """
    font = load_font(typeface)
    text = str(digit)
    left, top, right, bottom = font.getbbox(text, anchor="ls")
    # Round digits overshoot the line that flat ones stand on, so each is scaled to the same height by itself.
    ink = Image.new("L", (int(right - left), int(bottom - top)))
    ImageDraw.Draw(ink).text((-left, -top), text, 255, font, anchor="ls")
    factor = GLYPH_HEIGHT / ink.height
    width = max(3, round(ink.width * factor))
    scaled = cv2.resize(np.asarray(ink), (width, GLYPH_HEIGHT), interpolation=cv2.INTER_AREA)
    padded = cv2.copyMakeBorder(scaled, PADDING, PADDING, PADDING, PADDING, cv2.BORDER_CONSTANT, value=0)
    return Glyph(padded, width, font.getlength(text) * factor)


@cache
def load_font(typeface: str) -> ImageFont.FreeTypeFont:
    """Loads a typeface of the archive, larger than its glyphs will be.

    Raises:
        SVHNError: The archive of typefaces is missing or damaged, or does not hold this one.
    """
    path = FOLDER / "typefaces.zip"
    try:
        with zipfile.ZipFile(path) as archive:
            content = archive.read(typeface)
        # Reducing the larger digits evens out their rounding to whole pixels.
        return ImageFont.truetype(io.BytesIO(content), 3 * GLYPH_HEIGHT, layout_engine=ImageFont.Layout.BASIC)
    except (OSError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise SVHNError(f"{path} is missing or damaged, or lacks {typeface}; restore it from git") from error
