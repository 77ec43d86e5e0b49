"""The surfaces that numbers hang on and the light on them: walls, grain and shadows, made from noise alone."""

import math
from functools import cache

import cv2
import numpy as np

# Textures are square tiles of this side that fit onto themselves.
TILE = 256
# The standard deviation of the logarithm of noise's strength: photos are smooth here and restless there.
RESTLESSNESS = 0.74


def wall(rng: np.random.Generator, side: int) -> np.ndarray:
    """A piece of a wall's pattern, seen from some distance, float32 (side, side), spread about 1 around 0."""
    return _piece(rng, _walls()[rng.integers(len(_walls()))], side)


def smooth_field(rng: np.random.Generator, side: int, cells: int) -> np.ndarray:
    """A field that changes slowly from cell to cell, float32 (side, side), spread about 1 around 0."""
    coarse = rng.standard_normal((cells + 2, cells + 2), np.float32)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)


def light(rng: np.random.Generator, side: int) -> np.ndarray:
    """The light on each place, about 1, float32 (side, side): slopes, and sometimes the edge of a shadow."""
    field = smooth_field(rng, side, 1) * np.float32(min(rng.exponential(0.079), 0.3))
    if rng.random() < 0.04:
        direction, place = rng.uniform(0, 2 * math.pi), np.linspace(-1, 1, side, dtype=np.float32)
        across = place * math.cos(direction) + place[:, None] * math.sin(direction) - rng.normal(0, 0.6)
        width = rng.uniform(0.03, 0.4)
        field += np.tanh(across / width) * np.float32(rng.uniform(0.08, 0.35))
    return np.exp(field)


def tint(rng: np.random.Generator, side: int) -> np.ndarray:
    """Patches of colour of equal brightness, float32 (side, side, 2): red and blue above brightness, blue by about 2.

    Light has many colours: the sky's, those that walls and lawns reflect, and those of a camera's noise.
    """
    return _piece(rng, _tint(), side)


def grain(rng: np.random.Generator, side: int) -> np.ndarray:
    """A sensor's noise, float32 (side, side), spread 1 around 0: louder in some places than in others."""
    return _piece(rng, _grain(), side)


def _piece(rng: np.random.Generator, sheet: np.ndarray, side: int) -> np.ndarray:
    """A square of a sheet that is made once, which is a hundred times as fast as making a new texture."""
    row, column = rng.integers(0, len(sheet) - side, 2)
    piece = sheet[row : row + side, column : column + side]
    return piece[:, ::-1] if rng.random() < 0.5 else piece


@cache
def _grain() -> np.ndarray:
    noise = np.random.default_rng(2).standard_normal((2, 2 * TILE, 2 * TILE), np.float32)
    loud = cv2.GaussianBlur(noise[1], (0, 0), 1.5)
    sheet = cv2.GaussianBlur(noise[0], (0, 0), 0.5) * np.exp(RESTLESSNESS * loud / loud.std())
    return sheet / sheet.std()


@cache
def _tint() -> np.ndarray:
    noise = np.random.default_rng(3).standard_normal((2 * TILE, 2 * TILE, 2), np.float32)
    # Cameras smear colour more down than across.
    fine, coarse = (cv2.GaussianBlur(noise, (0, 0), spread, sigmaY=1.4 * spread) for spread in (1.6, 4.0))
    fine, coarse = fine / fine.std(), 1.5 * coarse / coarse.std()
    blue = fine[..., 0] + coarse[..., 0]
    # Light is warmer or colder from place to place: bluer places are also less red.
    red = 0.58 * fine[..., 1] + 0.88 * coarse[..., 1] - 0.8 * coarse[..., 0]
    return np.stack([red, blue], axis=-1).astype(np.float32)


@cache
def _walls() -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(1)
    made = []
    for _ in range(3):
        made += [_noise(rng, 0.7), _noise(rng, 1.2), _noise(rng, 1.8), _bricks(rng), _bricks(rng), _boards(rng)]
        made += [_boards(rng), _stones(rng), _leaves(rng)]
    sheets = []
    for texture in made:
        texture = ((texture - texture.mean()) / (texture.std() + 1e-6)).astype(np.float32)
        # Tiles fit onto themselves, so two by two make a sheet: at three scales, and some of them turned.
        for scale in (0.25, 0.5, 0.8):
            tile = cv2.resize(texture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            sheets.append(np.tile(np.rot90(tile) if rng.random() < 0.25 else tile, (2, 2)))
    return tuple(sheets)


def _noise(rng: np.random.Generator, exponent: float, stretch: float = 1.0) -> np.ndarray:
    """Plaster, concrete, paint: noise whose amplitude falls with a power of frequency; `stretch` elongates it."""
    frequency = np.hypot(np.fft.fftfreq(TILE)[:, None] * stretch, np.fft.rfftfreq(TILE) / stretch)
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(rng.standard_normal((TILE, TILE))) / frequency**exponent
    spectrum[0, 0] = 0
    field = np.fft.irfft2(spectrum, s=(TILE, TILE))
    return field / field.std()


def _bricks(rng: np.random.Generator) -> np.ndarray:
    """Courses of bricks, every second one moved by half a brick, in lighter or darker mortar."""
    rows, columns = int(rng.choice([8, 12, 16])), int(rng.choice([4, 6]))
    y, x = np.mgrid[:TILE, :TILE]
    row = y * rows // TILE
    along = x * columns / TILE + (row % 2) / 2
    shade = rng.standard_normal((rows, columns))[row, np.floor(along).astype(int) % columns]
    joint = np.minimum(y * rows / TILE % 1 * TILE / rows, along % 1 * TILE / columns) < 3.5
    mortar = np.where(joint, rng.choice([-2.2, 2.2]), 0.6 * shade)
    return cv2.GaussianBlur(mortar, (0, 0), 1.0) + 0.4 * _noise(rng, 0.8)


def _boards(rng: np.random.Generator) -> np.ndarray:
    """Boards one above the other, with grain along them and a shadow below each."""
    boards = int(rng.choice([3, 4, 6, 8]))
    y = np.arange(TILE) * boards / TILE
    shade = rng.normal(0, 0.5, boards)[y.astype(int) % boards]
    shadow = np.where(y % 1 < 0.08, -2.5, 0.5 * (y % 1))
    return (shade + shadow)[:, None] + 0.5 * _noise(rng, 1.0, 4.0)


def _stones(rng: np.random.Generator) -> np.ndarray:
    """Stones of all shapes: each place belongs to the nearest of forty middles."""
    middles = rng.uniform(0, TILE, (40, 2)).astype(np.float32)
    y, x = np.mgrid[:TILE, :TILE].astype(np.float32)
    offsets = np.abs(np.stack([y, x], -1)[:, :, None] - middles)
    distance = np.hypot(*np.minimum(offsets, TILE - offsets).transpose(3, 0, 1, 2))
    nearest, second = np.partition(distance, 1, axis=2)[..., :2].transpose(2, 0, 1)
    shade = rng.standard_normal(40)[distance.argmin(axis=2)]
    return cv2.GaussianBlur(np.where(second - nearest < 5, -2.0, shade), (0, 0), 1.2) + 0.4 * _noise(rng, 1.0)


def _leaves(rng: np.random.Generator) -> np.ndarray:
    """Patches with hard outlines, like leaves, reflections and cast shadows."""
    return np.sign(_noise(rng, 1.4)) + 0.7 * _noise(rng, 0.9) + 0.7 * np.sign(_noise(rng, 1.1))
