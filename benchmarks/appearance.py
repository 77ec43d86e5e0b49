"""The look of digit images in figures, by which drawn digits are compared with real ones."""

from functools import cache

import cv2
import numpy as np

from svhn.digits import LUMA
from svhn.drawn.typefaces import GLYPH_HEIGHT, PADDING, glyph, typefaces

SIDE = 32
# The height of ink in the box that people drew around it, as a share of the box.
_INK_HEIGHT = 0.74


def ink_and_ground(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The colour of each digit and of its ground.

    Colours are projected onto the line on which they differ most. The end that agrees with the label's average shape
    is ink. Blur mixes the two, so thin strokes look closer to their ground than they are.

    Args:
        images: uint8 (n, 32, 32, 3).
        labels: uint8 (n,).

    Returns:
        Ink and ground, float32 (n, 3) each, 0..255.
    """
    window = (slice(None), slice(4, 28), slice(7, 25))
    pixels = images[window].reshape(len(images), -1, 3).astype(np.float32)
    shapes = mean_shapes()[window].reshape(10, -1)[labels]
    centred = pixels - pixels.mean(axis=1, keepdims=True)
    _, axes = np.linalg.eigh(np.einsum("nij,nik->njk", centred, centred))
    along = np.einsum("nij,nj->ni", centred, axes[:, :, 2])
    agreement = (along * (shapes - shapes.mean(axis=1, keepdims=True))).sum(axis=1)
    along *= np.where(agreement < 0, -1, 1)[:, None]
    return _mean_where(pixels, along, shapes > 0.4), _mean_where(pixels, -along, shapes < 0.08)


def _mean_where(pixels: np.ndarray, order: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The mean colour of the third of `place` that comes last in `order`, float32 (n, 3)."""
    order = np.where(place, order, -np.inf)
    ranks = (-order).argsort(axis=1).argsort(axis=1)
    chosen = ranks < np.maximum(place.sum(axis=1, keepdims=True) // 3, 1)
    return (pixels * chosen[..., None]).sum(axis=1) / chosen.sum(axis=1, keepdims=True)


@cache
def mean_shapes() -> np.ndarray:
    """Each digit's shape averaged over the typefaces, in the middle of the image, float32 (10, 32, 32), 0..1."""
    shapes = np.zeros((10, SIDE, SIDE), np.float32)
    scale = _INK_HEIGHT * SIDE / GLYPH_HEIGHT
    for digit in range(10):
        for name in typefaces()[0]:
            ink, width, _ = glyph(name, digit)
            middle = PADDING + width / 2, PADDING + GLYPH_HEIGHT / 2
            # House numbers are seen narrower than type is designed: aslant, and set in condensed faces.
            matrix = np.array([[0.85 * scale, 0, SIDE / 2], [0, scale, SIDE / 2]], np.float32)
            matrix[:, 2] -= matrix[:, :2] @ np.array(middle, np.float32)
            shapes[digit] += cv2.warpAffine(ink, matrix, (SIDE, SIDE), flags=cv2.INTER_AREA)
    shapes /= 255 * len(typefaces()[0])
    return np.stack([cv2.GaussianBlur(shape, (0, 0), 1) for shape in shapes])


def measures(images: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """Measures images, one figure a measure and image.

    Args:
        images: uint8 (n, 32, 32, 3).
        labels: uint8 (n,).

    Returns:
        By name, float (n,) each: "brightness" and "contrast" (mean and standard deviation of grey, 0..255), "ink
        contrast" (the ink's grey minus its ground's), "colourfulness" (mean distance of pixels from grey), "warmth"
        (red minus blue), "sharpness" (the spectrum's slope: the exponent by which power falls with frequency, steeper
        for softer images), "light" (share of variance in the lowest frequencies), "ink height" (in image heights).
    """
    grey = images.astype(np.float32) @ LUMA
    ink, ground = ink_and_ground(images, labels)
    slope, light = _spectrum(grey)
    pixels = images.astype(np.float32)
    return {
        "brightness": grey.mean(axis=(1, 2)),
        "contrast": grey.std(axis=(1, 2)),
        "ink contrast": (ink - ground) @ LUMA,
        "colourfulness": np.abs(pixels - grey[..., None]).mean(axis=(1, 2, 3)),
        "warmth": (pixels[..., 0] - pixels[..., 2]).mean(axis=(1, 2)),
        "sharpness": slope,
        "light": light,
        "ink height": _ink_height(grey, ink @ LUMA, ground @ LUMA),
    }


def _spectrum(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The slope of log power over log frequency from 2 to 16 cycles an image, and the share of power below 1.5."""
    hann = np.hanning(SIDE).astype(np.float32)
    centred = grey - grey.mean(axis=(1, 2), keepdims=True)
    power = np.abs(np.fft.fft2(centred * hann[:, None] * hann)) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE, 1 / SIDE), np.fft.fftfreq(SIDE, 1 / SIDE)))
    rings = np.arange(2, 17)
    radial = np.stack([power[:, np.abs(frequency - ring) < 0.5].mean(axis=1) for ring in rings], axis=1)
    x = np.log(rings) - np.log(rings).mean()
    slope = np.log(radial + 1e-3) @ x / (x @ x)
    return slope, power[:, frequency < 1.5].sum(axis=1) / (power.sum(axis=(1, 2)) + 1e-3)


def _ink_height(grey: np.ndarray, ink: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """The number of rows of the middle columns that hold ink, as a share of the image's height."""
    middle = grey[:, :, 10:22]
    difference = (ink - ground)[:, None, None]
    share = (middle - ground[:, None, None]) / np.where(np.abs(difference) < 2, 2, difference)
    return (share.max(axis=2) > 0.5).mean(axis=1)
