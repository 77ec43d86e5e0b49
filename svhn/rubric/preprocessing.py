"""The kinds of preprocessing that a grader tries where a hand-in does not name its own."""

from collections.abc import Callable

import numpy as np

from svhn.backend import keras
from svhn.digits import LUMA


def _grey(images: np.ndarray) -> np.ndarray:
    return (images.astype(np.float32) @ LUMA)[..., np.newaxis]


def _contrast_grey(images: np.ndarray) -> np.ndarray:
    grey = _grey(images)
    mean, spread = grey.mean((1, 2), keepdims=True), grey.std((1, 2), keepdims=True)
    return np.clip(128 + 64 * (grey - mean) / np.maximum(spread, 4), 0, 255).round().astype(np.uint8)


def _stretched_grey(images: np.ndarray) -> np.ndarray:
    grey = _grey(images)
    low, high = grey.min((1, 2), keepdims=True), grey.max((1, 2), keepdims=True)
    return (grey - low) / np.maximum(high - low, 1)


def _standardised(images: np.ndarray) -> np.ndarray:
    """Each image with mean 0 and standard deviation 1."""
    images = images.astype(np.float32)
    mean, spread = images.mean((1, 2, 3), keepdims=True), images.std((1, 2, 3), keepdims=True)
    return (images - mean) / np.maximum(spread, 1e-3)


def _vgg16_input(images: np.ndarray) -> np.ndarray:
    return keras.applications.vgg16.preprocess_input(images.astype(np.float32))


# By number of channels, likely ones first; the very first is the protocol's own.
CANDIDATES: dict[int, dict[str, Callable[[np.ndarray], np.ndarray]]] = {
    3: {
        "scaled": lambda images: images,
        "unscaled": lambda images: images.astype(np.float32),
        "centred": lambda images: images.astype(np.float32) / 127.5 - 1,
        "vgg16_input": _vgg16_input,
    },
    1: {
        "grey": lambda images: _grey(images) / 255,
        "contrast_grey": _contrast_grey,
        "stretched_grey": _stretched_grey,
        "unscaled_grey": _grey,
        "centred_grey": lambda images: _grey(images) / 127.5 - 1,
        "standardised_grey": lambda images: _standardised(_grey(images)),
    },
}
