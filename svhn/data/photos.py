"""Reads the images that a prediction is asked for: photos of single digits, or arrays of them."""

import io
import os
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from svhn.digits import IMAGE_SHAPE
from svhn.errors import SVHNError

SIDE = IMAGE_SHAPE[0]
PHOTO_SUFFIXES = (".png", ".jpg", ".jpeg")


def read_images(paths: Sequence[Path]) -> tuple[np.ndarray, list[str]]:
    """Reads images and brings each to the 32x32 pixels that the networks see.

    A photo may have any size and mode. It is turned as its EXIF data say, laid on white where it is transparent,
    padded to a square by repeating its border, and resized with bicubic interpolation, as SVHN's own crops were.

    Args:
        paths: PNG or JPEG files, and `.npz` files with an array `X` uint8 (n, 32, 32, 3), in any mixture.

    Returns:
        The images, uint8 (n, 32, 32, 3), RGB, in the order given; and a name for each: "photo.png" for a photo,
        "digits.npz[17]" for an image in an array, or with its folder where two files are called alike.

    Raises:
        SVHNError: No path was given; a file is missing, damaged, too large, of another kind or without images.
    """
    images, names = [], []
    paths = [Path(path) for path in paths]
    alike = Counter(path.name for path in paths)
    for path in paths:
        name = _printable(path if alike[path.name] > 1 else path.name)
        suffix = path.suffix.lower()
        if suffix == ".npz":
            batch = _read_array(path)
            names += [f"{name}[{i}]" for i in range(len(batch))]
        elif suffix in PHOTO_SUFFIXES:
            batch = _to_digit_size(_read_photo(path))[None]
            names.append(name)
        elif path.is_dir():
            raise SVHNError(f"{path}: is a folder; name the files in it, as {path}/*.png")
        else:
            raise SVHNError(f"{path}: cannot read this kind of file; give a .png, .jpg, .jpeg or .npz file")
        images.append(batch)
    if not images:
        raise SVHNError("no image was given; name at least one .png, .jpg, .jpeg or .npz file")
    return np.concatenate(images), names


def _printable(name: Path | str) -> str:
    """A file's name as text that can be written: on Linux its bytes need not be any."""
    return os.fsencode(name).decode("utf-8", "replace")


def _read_bytes(path: Path) -> io.BytesIO:
    try:
        return io.BytesIO(path.read_bytes())
    except FileNotFoundError as error:
        raise SVHNError(f"{path}: there is no such file; check its name and folder") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SVHNError(f"{path}: cannot be opened ({reason}); give a file that you may read") from error


def _read_array(path: Path) -> np.ndarray:
    content = _read_bytes(path)
    try:
        # A file that only calls itself .npz may hold a bare array, which np.load gives without an archive round it.
        with np.load(content, allow_pickle=False) as archive:
            array = archive["X"] if "X" in archive.files else None
    except Exception as error:  # Damage shows in a dozen ways, from BadZipFile to TokenError; none is to be told apart.
        raise SVHNError(f"{path}: damaged, or not an .npz file of numbers; save it anew with np.savez") from error
    if array is None:
        raise SVHNError(f"{path}: has no array X; save the images as np.savez({path.name!r}, X=images)")
    if array.dtype != np.uint8 or array.shape[1:] != IMAGE_SHAPE:
        raise SVHNError(
            f"{path}: X must be uint8 of shape (n, 32, 32, 3), not {array.dtype} of shape {array.shape}; convert it"
        )
    if len(array) == 0:
        raise SVHNError(f"{path}: X holds no images; give a file with at least one")
    return array


def _read_photo(path: Path) -> Image.Image:
    """A photo as RGB, upright, in its own size."""
    content = _read_bytes(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Pillow only warns of an image somewhat over its limit; here the limit is one.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(content, formats=("PNG", "JPEG")) as image:
                return _to_rgb(ImageOps.exif_transpose(image))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        limit = f"{(Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} million pixels"
        raise SVHNError(f"{path}: has more than {limit}; cut the digit out or scale the image down") from error
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged content.
        raise SVHNError(f"{path}: damaged, empty, or neither PNG nor JPEG; save the image anew as PNG") from error


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # Sixteen bits a pixel: Pillow would cut off all above 255, where the upper eight bits are meant.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _to_digit_size(image: Image.Image) -> np.ndarray:
    """Pads to a square with the border's pixels, and resizes: uint8 (32, 32, 3)."""
    width, height = image.size
    side = max(width, height)
    # The long side is resized before the padding. But for rounding the result is the same, as the two directions of
    # a resize are independent, and a strip of 1 x 60,000 pixels need not become a square of 60,000 x 60,000.
    image = image.resize((width, SIDE) if width < height else (SIDE, height), Image.Resampling.BICUBIC)
    before = (side - min(width, height)) // 2
    short = (before, side - min(width, height) - before)
    padding = ((0, 0), short, (0, 0)) if width < height else (short, (0, 0), (0, 0))
    square = Image.fromarray(np.pad(np.asarray(image), padding, mode="edge"))
    return np.array(square.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
