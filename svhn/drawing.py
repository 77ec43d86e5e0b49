"""Draws house-number digits that look like SVHN crops, for use where the real ones are missing.

A digit is made the way a real one came about: a number hangs on a wall (`_sign`), is seen from somewhere
(`_viewpoint`), painted with colours and light (`_scene`), and photographed by a modest camera (`_photograph`).
"""

import io
import math
from functools import cache
from numbers import Integral
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from tqdm import tqdm

from svhn.digits import Digits
from svhn.errors import SVHNError

SIDE = 32
# The scene is drawn at twice the final size, so that edges come out smooth.
SCENE = 2 * SIDE
# How often SVHN shows the digits 0..9, and how often a digit belongs to a number of 1..4 digits.
DIGIT_SHARE = (0.070, 0.190, 0.140, 0.115, 0.100, 0.090, 0.080, 0.080, 0.070, 0.065)
LENGTH_SHARE = (0.07, 0.50, 0.35, 0.08)

# Pillow's own typeface (None) comes several times: its plain strokes are the closest to most house numbers.
# DejaVu Sans Mono is left out, because the mark inside its zero turns into an 8 at this size.
TYPEFACES = (
    None,
    None,
    None,
    None,
    "DejaVuSans.ttf",
    "DejaVuSans-Bold.ttf",
    "DejaVuSans-Oblique.ttf",
    "DejaVuSerif.ttf",
    "DejaVuSerif-Bold.ttf",
    "STIXGeneral.ttf",
    "STIXGeneralBol.ttf",
    "STIXGeneralItalic.ttf",
)
GLYPH_HEIGHT = 48
MARGIN = 24


def draw(n: int, seed: int = 0) -> Digits:
    """Draws `n` labelled digits; digit `i` depends on `seed` and `i` alone.

    So the same seed gives the same bytes in any process, and fewer digits are a prefix of more.

    Args:
        n: How many digits, at least 1.
        seed: Which digits, at least 0.

    Returns:
        Digits with `real=False`: images uint8 (n, 32, 32, 3), labels uint8 (n,).

    Raises:
        SVHNError: `n` or `seed` is not a whole number in its range, or matplotlib's fonts are missing.

    Example:
        >>> draw(100, seed=3).images.shape
        (100, 32, 32, 3)
    """
    _check_whole("the number of digits to draw", n, 1)
    _check_whole("the seed", seed, 0)
    images = np.empty((n, SIDE, SIDE, 3), np.uint8)
    labels = np.empty(n, np.uint8)
    for i in tqdm(range(n), desc="drawing digits", unit="digit", delay=2, leave=False):
        labels[i], images[i] = _digit(np.random.default_rng((int(seed), i)))
    return Digits(images, labels, name=f"drawn, seed {seed}", real=False)


def _check_whole(what: str, value: int, least: int) -> None:
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise SVHNError(f"{what} is {value!r}; give a whole number of at least {least}")


def _digit(rng: np.random.Generator) -> tuple[int, np.ndarray]:
    """One label and its image, uint8 (32, 32, 3)."""
    length = 1 + _pick(rng, LENGTH_SHARE)
    number = [_pick(rng, DIGIT_SHARE) for _ in range(length)]
    # House numbers do not begin with 0, so a 0 stands behind another digit wherever there is one.
    position = int(rng.integers(length))
    if length > 1 and number[position] == 0:
        position = max(position, 1)
        number[position] = 0
    label = number[position]
    sign, box = _sign(rng, number, position)
    view = sign.transform((SCENE, SCENE), Image.Transform.PERSPECTIVE, _viewpoint(rng, box), Image.Resampling.BILINEAR)
    scene, contrast = _scene(rng, np.asarray(view).transpose(2, 0, 1).astype(np.float32, order="C") / 255)
    return label, _photograph(rng, scene, contrast)


def _pick(rng: np.random.Generator, shares: tuple[float, ...]) -> int:
    # Four times as fast as rng.choice(p=shares), which checks its arguments anew each time.
    return min(int(np.searchsorted(np.cumsum(shares), rng.random())), len(shares) - 1)


@cache
def _font(typeface: str | None) -> ImageFont.FreeTypeFont:
    """A typeface in the size at which its digits are GLYPH_HEIGHT tall."""

    def load(size: float) -> ImageFont.FreeTypeFont:
        if typeface is None:
            return ImageFont.load_default(size)
        path = Path(matplotlib.get_data_path(), "fonts", "ttf", typeface)
        return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)

    try:
        _, top, _, bottom = load(100).getbbox("1", anchor="ls")
        return load(100 * GLYPH_HEIGHT / (bottom - top))
    except OSError as error:
        raise SVHNError(f"cannot read the font {typeface}; reinstall matplotlib, which brings it") from error


@cache
def _glyph(typeface: str | None, digit: int, stroke: int) -> Image.Image:
    """The ink of one digit, trimmed at its sides, baseline at GLYPH_HEIGHT + 8."""
    ink = Image.new("L", (2 * GLYPH_HEIGHT, GLYPH_HEIGHT + 16))
    place = (GLYPH_HEIGHT / 2, GLYPH_HEIGHT + 8)
    ImageDraw.Draw(ink).text(place, str(digit), 255, _font(typeface), anchor="ls", stroke_width=stroke)
    left, _, right, _ = ink.getbbox()
    return ink.crop((left, 0, right, ink.height))


def _sign(
    rng: np.random.Generator, number: list[int], position: int
) -> tuple[Image.Image, tuple[float, float, float, float]]:
    """The number seen straight on, and the box (left, top, right, bottom) of one of its digits.

    The image's three channels are masks: the ink, the plaque below it, the plaque's rim.
    """
    typeface = TYPEFACES[rng.integers(len(TYPEFACES))]
    # Bold letters get no more weight: the holes of 6, 8 and 9 would close.
    stroke = int(rng.integers(2 if typeface and "Bol" in typeface else 3))
    gap = rng.uniform(0.04, 0.32) * GLYPH_HEIGHT
    glyphs = [_glyph(typeface, digit, stroke) for digit in number]
    width = 2 * MARGIN + sum(glyph.width for glyph in glyphs) + int(gap * (len(glyphs) - 1))
    height = 2 * MARGIN + glyphs[0].height
    ink = Image.new("L", (width, height))
    x = float(MARGIN)
    box = (0.0, 0.0, 0.0, 0.0)
    for index, glyph in enumerate(glyphs):
        y = MARGIN + int(rng.integers(-1, 2))
        ink.paste(255, (int(x), y), glyph)
        if index == position:
            left, top, right, bottom = glyph.getbbox()
            box = (int(x) + left, y + top, int(x) + right, y + bottom)
        x += glyph.width + gap
    plaque, rim = Image.new("L", ink.size), Image.new("L", ink.size)
    if rng.random() < 0.35:
        inset = MARGIN - rng.uniform(6, 20)
        frame = (inset, inset, width - inset, height - inset)
        radius = (0, 6, 20)[rng.integers(3)]
        ImageDraw.Draw(plaque).rounded_rectangle(frame, radius, fill=255)
        if rng.random() < 0.5:
            ImageDraw.Draw(rim).rounded_rectangle(frame, radius, outline=255, width=int(rng.integers(2, 5)))
    return Image.merge("RGB", (ink, plaque, rim)), box


def _viewpoint(rng: np.random.Generator, box: tuple[float, float, float, float]) -> tuple[float, ...]:
    """The eight coefficients of the perspective that puts the digit in `box` into the scene by the crop rule."""
    left, top, right, bottom = box
    angle = math.radians(_between(-18, rng.normal(0, 5), 18))
    cosine, sine = math.cos(angle), math.sin(angle)
    to_origin = np.array([[1, 0, -(left + right) / 2], [0, 1, -(top + bottom) / 2], [0, 0, 1]])
    stretch = np.diag([rng.uniform(0.6, 1.1), 1, 1])
    slant = np.array([[1, _between(-0.3, rng.normal(0, 0.1), 0.3), 0], [0, 1, 0], [0, 0, 1]])
    rotation = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, 1, 0], [*rng.normal(0, 0.0007, 2), 1]])
    seen = tilt @ rotation @ slant @ stretch @ to_origin
    corners = seen @ np.array([[left, right, left, right], [top, top, bottom, bottom], [1, 1, 1, 1]])
    x, y = corners[:2] / corners[2]
    # People who mark digits in photos leave some air around them, and do not hit the middle exactly.
    side = max(np.ptp(x), np.ptp(y)) * rng.uniform(1.05, 1.4)
    origin_x, origin_y = ((v.min() + v.max() - side) / 2 + side * rng.normal(0, 0.02) for v in (x, y))
    scale = SCENE / side
    crop = np.array([[scale, 0, -scale * origin_x], [0, scale, -scale * origin_y], [0, 0, 1]])
    # Pillow asks where each pixel of the result comes from, which is the inverse.
    back = np.linalg.inv(crop @ seen)
    return tuple((back / back[2, 2]).ravel()[:8])


def _between(low: float, value: float, high: float) -> float:
    # Plain Python: np.clip is slow on single numbers, and its np.float64 would turn float32 images into float64.
    return min(max(low, float(value)), high)


def _colour(rng: np.random.Generator, brightness: float) -> np.ndarray:
    """A colour of a given brightness, mostly greyish, towards brown or blue, float32 (3, 1, 1)."""
    warmth = rng.random()
    hue = rng.normal(-0.4, 0.4) if warmth < 0.4 else rng.normal(2.2, 0.35) if warmth < 0.88 else rng.uniform(0, 6.3)
    strength = min(rng.exponential(14), 70)
    tint = [strength * math.cos(hue + channel * 2 * math.pi / 3) for channel in range(3)]
    # A tint must not change how bright the colour looks: blue counts little for the eye, green much.
    brightness -= 0.299 * tint[0] + 0.587 * tint[1] + 0.114 * tint[2]
    return np.array([_between(0, brightness + part, 255) for part in tint], np.float32).reshape(3, 1, 1)


def _scene(rng: np.random.Generator, masks: np.ndarray) -> tuple[np.ndarray, float]:
    """Paints the three masks of a sign, float32 (3, 64, 64) in 0..1.

    Returns the scene, float32 (3, 64, 64) in 0..255, colour first as that is faster here; and its contrast.
    """
    ink, plaque, rim = masks
    contrast = _between(42, rng.lognormal(math.log(80), 0.45), 210)
    darker = rng.uniform(5, 250 - contrast)
    ground, figure = (darker, darker + contrast) if rng.random() < 0.5 else (darker + contrast, darker)
    behind, front = _colour(rng, ground), _colour(rng, figure)
    wall = _colour(rng, _between(10, rng.normal(ground, 45), 245)) if plaque.any() else behind
    # The wall's pattern stays well below the contrast, so that the digit remains legible on it.
    scene = wall + _pattern(rng) * (contrast * rng.uniform(0.03, 0.16))
    if plaque.any():
        scene += (behind - scene) * plaque
        scene += ((front if rng.random() < 0.6 else wall) - scene) * rim
    if rng.random() < 0.35:
        shift = rng.integers(-4, 5, 2)
        scene *= 1 - rng.uniform(0.15, 0.5) * np.roll(ink, shift, (0, 1))
    scene += (front - scene) * ink
    return scene, contrast


def _pattern(rng: np.random.Generator) -> np.ndarray:
    """A wall's pattern, float32 (64, 64), about -1..2: plain, plaster, boards or bricks."""
    kind = rng.integers(4)
    if kind == 0:
        return np.zeros((SCENE, SCENE), np.float32)
    if kind == 1:
        return _noise(rng, 5, 5) + _noise(rng, 24, 24)
    if kind == 2:
        grain = _noise(rng, 40, 3) + _seams(SCENE, rng.uniform(14, 60), rng.uniform(0, 60))[:, None] * -2.0
        return grain if rng.random() < 0.6 else grain.T
    return _bricks(rng)


def _noise(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    coarse = Image.fromarray(rng.standard_normal((rows, columns), np.float32))
    return np.asarray(coarse.resize((SCENE, SCENE), Image.Resampling.BILINEAR))


def _seams(length: int, step: float, offset: float) -> np.ndarray:
    """1 on the first three pixels of each step, 0 elsewhere, float32 (length,)."""
    return ((np.arange(length) + offset) % step < 3).astype(np.float32)


def _bricks(rng: np.random.Generator) -> np.ndarray:
    height, offset = rng.uniform(12, 30), rng.uniform(0, 60)
    width = height * rng.uniform(2, 3)
    row = ((np.arange(SCENE) + offset) // height).astype(int)
    # Every second row is shifted by half a brick.
    along = np.arange(SCENE) + offset + (row % 2 * width / 2)[:, None]
    mortar = (_seams(SCENE, height, offset)[:, None] > 0) | (along % width < 3)
    shade = rng.standard_normal((16, 16), np.float32)[row[:, None] % 16, (along // width).astype(int) % 16]
    return np.where(mortar, np.float32(-2.5 if rng.random() < 0.5 else 2.5), shade)


def _light(rng: np.random.Generator, side: int) -> np.ndarray:
    """How bright each place is lit, float32 (side, side) in 0..1: from an even slope to the edge of a shadow."""
    direction, place = rng.uniform(0, 2 * math.pi), np.linspace(-1, 1, side, dtype=np.float32)
    across = place * math.cos(direction) + place[:, None] * math.sin(direction) + rng.normal(0, 0.5)
    sharpness = (0.7, 1.5, 1.5, 8)[rng.integers(4)]
    return 1 - rng.uniform(0, 0.35) / (1 + np.exp(-sharpness * across))


def _photograph(rng: np.random.Generator, scene: np.ndarray, contrast: float) -> np.ndarray:
    """What light, a camera and the crop make of a scene: uint8 (32, 32, 3)."""
    if rng.random() < 0.05:
        # The photo ends here, and the crop repeats its outermost column.
        edge = int(rng.integers(2, 10))
        if rng.random() < 0.5:
            scene[..., :edge] = scene[..., edge, None]
        else:
            scene[..., -edge:] = scene[..., -edge - 1, None]
    # How many pixels the crop has in the photo; above SCENE nothing would be gained.
    side = int(_between(15, rng.lognormal(math.log(31), 0.45), SCENE))
    image = Image.fromarray(np.clip(scene, 0, 255).astype(np.uint8).transpose(1, 2, 0))
    image = image.resize((side, side), Image.Resampling.BOX)
    image = image.filter(ImageFilter.GaussianBlur(min(rng.exponential(1.5), 3) * side / SCENE))
    grain = rng.standard_normal((side, side, 3), np.float32) * (contrast * rng.uniform(0, 0.06))
    lit = np.asarray(image) * _light(rng, side)[..., None] + grain
    image = Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))
    if rng.random() < 0.3:
        stored = io.BytesIO()
        image.save(stored, "JPEG", quality=int(rng.integers(45, 90)))
        image = Image.open(stored)
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
