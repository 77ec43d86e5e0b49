"""The one type for digits of every source."""

import hashlib
import mmap
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from svhn.errors import SVHNError

IMAGE_SHAPE = (32, 32, 3)
# The weights of red, green and blue in grey.
LUMA = np.array([0.2990, 0.5870, 0.1140], np.float32)


def model_input(batch: np.ndarray) -> np.ndarray:
    """A model's float32 input: uint8 pixels are scaled to [0, 1], floats stay as they are."""
    if batch.dtype == np.uint8:
        return batch.astype(np.float32) / np.float32(255)
    return batch.astype(np.float32, copy=False)


def let_go(images: np.ndarray) -> None:
    """Frees the memory of a mapped file. Its pages are read again when they are needed."""
    if isinstance(images.base, mmap.mmap) and not images.flags.writeable and hasattr(mmap, "MADV_DONTNEED"):
        images.base.madvise(mmap.MADV_DONTNEED)


@dataclass(frozen=True)
class Digits:
    """Labelled digit images.

    Attributes:
        images: uint8 array (n, 32, 32, 3), RGB; possibly memory-mapped.
        labels: uint8 array (n,), the digit 0..9.
        name: The digits' name for people: "svhn-8k.npz", "OpenML 41081", "drawn".
        real: Whether they were cut from photos (SVHN); False for digits drawn by this project.
        identity: A text that identifies the digits in place of their bytes, or None. Drawn digits have one, because
            kinds of processor round a drawn pixel differently.
    """

    images: np.ndarray
    labels: np.ndarray
    name: str
    real: bool
    identity: str | None = None

    def __post_init__(self) -> None:
        _check_images(self.images, self.name)
        _check_labels(self.labels, len(self.images), self.name)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def description(self) -> str:
        """The digits' number, kind and name in one line."""
        kind = "real SVHN digits" if self.real else "digits drawn by this project, not SVHN"
        return f"{len(self):,} {kind} ({self.name})"

    @cached_property
    def fingerprint(self) -> str:
        """The first 16 hexadecimal digits of SHA-256 over the identity, or without one over images and labels."""
        if self.identity is not None:
            return hashlib.sha256(self.identity.encode()).hexdigest()[:16]
        digest = hashlib.sha256()
        for start in range(0, len(self), 4096):
            digest.update(np.ascontiguousarray(self.images[start : start + 4096]).data)
            let_go(self.images)
        digest.update(np.ascontiguousarray(self.labels).data)
        return digest.hexdigest()[:16]


def _check_images(images: np.ndarray, name: str) -> None:
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:] != IMAGE_SHAPE:
        raise SVHNError(
            f"{name}: images must be uint8 of shape (n, 32, 32, 3), not {images.dtype} of shape {images.shape}; "
            "convert them first"
        )
    if len(images) == 0:
        raise SVHNError(f"{name}: holds no images; choose another data set")


def _check_labels(labels: np.ndarray, count: int, name: str) -> None:
    if labels.dtype != np.uint8 or labels.shape != (count,):
        raise SVHNError(
            f"{name}: labels must be one uint8 digit per image, not {labels.dtype} of shape {labels.shape} "
            f"for {count} images; convert them first"
        )
    if labels.max() > 9:
        raise SVHNError(f"{name}: label {labels.max()} is not a digit; labels must be 0..9 (0 stands for the digit 0)")
