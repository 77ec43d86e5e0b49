"""Reads the images of a prediction: photos of single digits, or arrays of them."""

import io
import os
import stat
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from svhn.digits import IMAGE_SHAPE
from svhn.errors import SVHNError

SIDE = IMAGE_SHAPE[0]
_HEIF = (".heic", ".heif")
PHOTO_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff", ".avif", *_HEIF)
KINDS = "PNG, JPEG, WebP, GIF, TIFF, HEIC, AVIF or .npz"
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "AVIF")
# Of SVHN's 8,001 digits the faintest spans 46 levels of 255; noise and JPEG alone make a few of a plain wall.
_BLANK_LEVELS = 16
# The greatest width of a photo of one digit, in heights, for a broad digit with much beside it.
_WIDEST = 1.5


def read_images(paths: Sequence[Path]) -> tuple[np.ndarray, list[str], list[str]]:
    """Reads images and brings each to the 32x32 pixels that the networks see.

    A photo may have any size and mode. It is turned by its EXIF data, laid on white where it is transparent, padded to
    a square by repeating its border, and resized with bicubic interpolation, like SVHN's own crops.

    Args:
        paths: Photos (PNG, JPEG, WebP, GIF, TIFF, HEIC, AVIF; the first picture of several), and `.npz` files with an
            array `X` uint8 (n, 32, 32, 3), in any mixture.

    Returns:
        The images, uint8 (n, 32, 32, 3), RGB, in the order given. The name of each: "photo.png" for a photo,
        "digits.npz[17]" for an image in an array, with its folder where two files have one name. A remark on each,
        empty unless a photo is too wide to show one digit alone.

    Raises:
        SVHNError: No path was given, or a file is missing, damaged, too large, of another kind or without images.
    """
    images, names, remarks = [], [], []
    paths = [Path(path) for path in paths]
    alike = Counter(path.name for path in paths)
    for path in paths:
        name = _printable(path if alike[path.name] > 1 else path.name)
        suffix = path.suffix.lower()
        if suffix == ".npz":
            wide, batch = False, _read_array(path)
            names += [f"{name}[{i}]" for i in range(len(batch))]
        elif suffix in PHOTO_SUFFIXES:
            photo = _decoded(_read_bytes(path), path)
            wide = photo.width > _WIDEST * photo.height
            batch = _to_digit_size(photo)[None]
            names.append(name)
        elif path.is_dir():
            raise SVHNError(f"{path}: is a folder; name the files in it, as {path}/*.png")
        else:
            raise SVHNError(f"{path}: cannot read this kind of file; give {KINDS}, as photo.png")
        images.append(batch)
        remarks += ["wider than one digit; cut out a single one" if wide else ""] * len(batch)
    if not images:
        raise SVHNError(f"no image was given; name at least one file of {KINDS}")
    return np.concatenate(images), names, remarks


def is_blank(images: np.ndarray) -> np.ndarray:
    """Tells which images are blank, that is, of nearly one colour everywhere.

    Args:
        images: uint8 (n, 32, 32, 3).

    Returns:
        bool (n,).
    """
    return (np.ptp(images.reshape(len(images), -1, images.shape[-1]), axis=1).max(axis=1)) < _BLANK_LEVELS


def _printable(name: Path | str) -> str:
    """A file's name as text that can be written; on Linux it may be any bytes."""
    return os.fsencode(name).decode("utf-8", "replace")


def _read_bytes(path: Path) -> io.BytesIO:
    try:
        # A pipe or a device may never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise SVHNError(f"{path}: cannot be opened (it is a folder, pipe or device); give a plain file")
        return io.BytesIO(path.read_bytes())
    except FileNotFoundError as error:
        raise SVHNError(f"{path}: there is no such file; check its name and folder") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SVHNError(f"{path}: cannot be opened ({reason}); give a file that you may read") from error


def _read_array(path: Path) -> np.ndarray:
    content = _read_bytes(path)
    try:
        # A bare array in a file called .npz is no archive, and has no context to enter.
        with np.load(content, allow_pickle=False) as archive:
            array = archive["X"] if "X" in archive.files else None
    except Exception as error:  # Damage shows in a dozen ways, from BadZipFile to TokenError.
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


def _decoded(content: io.BytesIO, path: Path) -> Image.Image:
    """A photo as RGB, upright, in its own size; `path` names it in errors."""
    formats = _readable_formats(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Pillow only warns of an image somewhat over its limit. Here that is an error.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(content, formats=formats) as image:
                return _to_rgb(ImageOps.exif_transpose(image))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        limit = f"{(Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} million pixels"
        raise SVHNError(f"{path}: has more than {limit}; cut the digit out or scale the image down") from error
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged content.
        raise SVHNError(f"{path}: damaged, empty, or no photo ({KINDS}); save the image anew as PNG") from error


def _readable_formats(path: Path) -> tuple[str, ...]:
    """The formats that Pillow may find in a file of any suffix: phones call HEIC photos .jpg as well."""
    try:
        import pillow_heif
    except ImportError as error:
        if path.suffix.lower() in _HEIF:
            raise SVHNError(f"{path}: reading HEIC needs pillow-heif; install it, or save the photo as PNG") from error
        return _FORMATS
    pillow_heif.register_heif_opener()
    return *_FORMATS, "HEIF"


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # Of sixteen bits a pixel the upper eight count. Pillow would cut off all above 255.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        # Pixels are fractions, or else levels up to 255.
        levels = np.nan_to_num(np.asarray(image))
        return Image.fromarray((levels * (255 if levels.max() <= 1 else 1)).clip(0, 255).astype(np.uint8)).convert(
            "RGB"
        )
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _to_digit_size(image: Image.Image) -> np.ndarray:
    """Pads to a square with the border's pixels, and resizes: uint8 (32, 32, 3)."""
    width, height = image.size
    side = max(width, height)
    # The long side is resized before the padding, so a strip of 1 x 60,000 pixels need not become a square. But for
    # rounding the result is the same: the two directions of a resize are independent.
    image = image.resize((width, SIDE) if width < height else (SIDE, height), Image.Resampling.BICUBIC)
    before = (side - min(width, height)) // 2
    short = (before, side - min(width, height) - before)
    padding = ((0, 0), short, (0, 0)) if width < height else (short, (0, 0), (0, 0))
    square = Image.fromarray(np.pad(np.asarray(image), padding, mode="edge"))
    return np.array(square.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def decode_photo(name: str, content: bytes) -> np.ndarray:
    """Decodes an uploaded photo.

    Args:
        name: The file's name.
        content: The file's bytes.

    Returns:
        The photo in its own size, upright: uint8 (height, width, 3), RGB.

    Raises:
        SVHNError: The file is damaged, too large or of another kind.
    """
    return np.asarray(_decoded(io.BytesIO(content), Path(name)))


def crop(photo: np.ndarray, left: float, top: float, size: float) -> np.ndarray:
    """Cuts a square out of a photo and brings it to the size that the networks see.

    Args:
        photo: uint8 (height, width, 3).
        left: The square's place between the photo's left and right edge, 0..1.
        top: Its place between the upper and the lower edge, 0..1.
        size: Its side, as a share of the photo's shorter side, above 0 and at most 1.

    Returns:
        uint8 (32, 32, 3).
    """
    height, width = photo.shape[:2]
    side = max(1, round(size * min(height, width)))
    x, y = round(left * (width - side)), round(top * (height - side))
    return _to_digit_size(Image.fromarray(photo[y : y + side, x : x + side]))
