"""The camera: takes a modest photo of a scene and cuts a 32x32 digit out of it by SVHN's crop rule."""

import math
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np

from svhn.drawn.surfaces import grain, tint

SIDE = 32
# The side of a digit's box in the units of this package's constants; a `Frame` has its side in a photo.
BOX = 64
# SVHN's photos were stored as JPEG twice, in the same blocks. `fitting/photos.py` finds both qualities in the quantised
# brightness of real digits, the last one exactly, the first one to within three. Colour shows the last one only. It is
# kept at half the resolution, hence in blocks of 16 pixels.
FIRST_QUALITY, LAST_QUALITY, BLOCKS = 70, 85, 16
NO_COLOUR = np.array([0, 127.5, 127.5], np.float32)


class Frame(NamedTuple):
    """The part of a photo that a digit takes up.

    Attributes:
        box: The side of the digit's box, whole pixels of the photo.
        margin: The width of the scene beyond the box on each side. Blur and JPEG's blocks at the crop's edge need it.
        detail: Pixels of the scene along a pixel of the photo.
    """

    box: int
    margin: int
    detail: int

    @property
    def side(self) -> int:
        """Pixels of the photo along the scene."""
        return self.box + 2 * self.margin


def frame(box_height: float) -> Frame:
    """The frame for a box of a height in pixels, at most BOX: 32 pixels show no more detail than that."""
    box = round(min(max(box_height, 9.0), float(BOX)))
    margin = -(-box // 8)
    return Frame(box, margin, -(-BOX // (box + 2 * margin)))


def photograph(rng: np.random.Generator, scene: np.ndarray, view: Frame) -> np.ndarray:
    """Takes a photo and cuts out the digit.

    Args:
        rng: The source of chance for focus, motion, noise and the place of JPEG's blocks.
        scene: float32 (side, side, 3), 0..255, in the photo's pixels.
        view: The place of the digit's box in the scene.

    Returns:
        uint8 (32, 32, 3).
    """
    planes = _developed(rng, _focused(rng, scene, view.box))
    return cut_out(_at_photo_edge(rng, _stored(rng, planes)), view.margin)


def _stored(rng: np.random.Generator, planes: tuple[np.ndarray, ...]) -> np.ndarray:
    """The photo after it was stored as JPEG twice: uint8 (side, side, 3), red, green and blue."""
    down, across = rng.integers(BLOCKS, size=2)
    # OpenCV's value for no colour is 0.5 in floats and 128 in bytes.
    pixels = cv2.convertScaleAbs(cv2.max(cv2.merge(planes) + NO_COLOUR, 0))
    brightness, *colour = cv2.split(cv2.copyMakeBorder(pixels, down, 0, across, 0, cv2.BORDER_REPLICATE))
    first = cv2.cvtColor(cv2.merge((_compressed(brightness, FIRST_QUALITY), *colour)), cv2.COLOR_YCrCb2BGR)
    return cv2.cvtColor(_compressed(first, LAST_QUALITY)[down:, across:], cv2.COLOR_BGR2RGB)


def _compressed(pixels: np.ndarray, quality: int) -> np.ndarray:
    _, stored = cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, quality))
    return cv2.imdecode(stored, cv2.IMREAD_UNCHANGED)


def cut_out(pixels: np.ndarray, edge: int) -> np.ndarray:
    """Cuts the box out of its margin and resizes it to 32x32 by SVHN's rule.

    The rule, read from real digits: bicubic interpolation down first, then across, rounded to 8 bits between the two,
    from the pixels of the box alone. A network that tells drawn digits from real ones sees any other rule at once.

    Args:
        pixels: uint8 (side, side, 3).
        edge: The width of the margin, at least 1.

    Returns:
        uint8 (32, 32, 3).
    """
    box = pixels[edge:-edge, edge:-edge].astype(np.float32)
    weights = bicubic(len(box))
    down = np.rint(weights @ box.reshape(len(box), -1)).clip(0, 255).reshape(SIDE, len(box), 3)
    return np.rint(weights @ down).clip(0, 255).astype(np.uint8)


@cache
def bicubic(size: int) -> np.ndarray:
    """The weights of bicubic interpolation from `size` pixels to 32, float32 (32, size): Keys's kernel, a = -0.5.

    The kernel is widened where the image shrinks. Beyond the border the last pixel is repeated.
    """
    scale = max(size / SIDE, 1.0)
    middles = (np.arange(SIDE) + 0.5) * size / SIDE - 0.5
    reach = np.arange(-math.ceil(2 * scale), size + math.ceil(2 * scale))
    x = np.abs(middles[:, None] - reach) / scale
    kernel = np.where(x < 1, 1.5 * x**3 - 2.5 * x**2 + 1, np.where(x < 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0))
    weights = np.zeros((SIDE, size))
    for place, column in zip(reach.clip(0, size - 1), kernel.T, strict=True):
        weights[:, place] += column
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _focused(rng: np.random.Generator, photo: np.ndarray, box: float) -> np.ndarray:
    """Blurs the photo by lens and motion; a part of the blur grows with the size of the box."""
    sigma = min(float(np.hypot(rng.lognormal(0.0, 0.31), 0.015 * box)), 0.075 * box)
    return cv2.GaussianBlur(photo, (0, 0), sigma, sigmaY=sigma * max(0.5, rng.normal(1.04, 0.22)))


def _developed(rng: np.random.Generator, photo: np.ndarray) -> tuple[np.ndarray, ...]:
    """Alters a scene as a camera does: noise, brightness sharpened with seams beside edges, softer and noisier colour.

    Returns:
        Brightness, red above it and blue above it (JPEG's YCrCb), float32 (side, side) each, 0..255.
    """
    brightness, red, blue = cv2.split(cv2.cvtColor(photo, cv2.COLOR_RGB2YCrCb))
    brightness += grain(rng, len(photo)) * np.float32(min(rng.lognormal(0.57, 0.43), 8))
    soft = cv2.GaussianBlur(brightness, (0, 0), rng.uniform(0.51, 0.79))
    amount = rng.normal(0.92, 0.17)
    brightness = cv2.addWeighted(brightness, 1 + amount, soft, -amount, 0)
    if rng.random() < 0.13:
        # A lens bends colours differently, so red and blue fall beside green.
        matrix = np.array([[1, 0, rng.normal(0, 0.14)], [0, 1, rng.normal(0, 0.14)]])
        red, blue = (
            cv2.warpAffine(plane, matrix, plane.shape, borderMode=cv2.BORDER_REPLICATE) for plane in (red, blue)
        )
    softness = rng.uniform(0.6, 1.4)
    patches = tint(rng, len(photo)) * np.float32(rng.lognormal(0.3, 0.3))
    red, blue = (
        cv2.GaussianBlur(plane, (0, 0), softness) + patch
        for plane, patch in zip((red, blue), cv2.split(patches), strict=True)
    )
    return brightness, red, blue


def _at_photo_edge(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    """For one digit in a hundred, ends the photo within the crop, which repeats the photo's last row or column."""
    if rng.random() < 0.01:
        last = round(len(pixels) * rng.uniform(0.12, 0.2))
        turned = np.rot90(pixels, int(rng.integers(4)))
        turned[:, :last] = turned[:, last : last + 1].copy()
    return pixels
