"""Digits in image files: Hugging Face's parquet files of SVHN, and a folder of PNGs for each digit."""

import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from svhn.digits import IMAGE_SHAPE, Digits
from svhn.errors import SVHNError, one_line
from svhn.progress import progress_bar

# The parts of SVHN, in the order of the official files, without the greatest, "extra".
PARTS = ("train", "test")
# The folder of single digits in Hugging Face's copy, which holds whole numbers as well.
_CROPPED = "cropped_digits"


def parquet_files(folder: Path) -> list[Path]:
    """Hugging Face's parquet files in a folder, `train-*` before `test-*`; without these, all but `extra-*`."""
    found = sorted(folder.glob("*.parquet")) or sorted((folder / _CROPPED).glob("*.parquet"))
    ordered = [path for part in PARTS for path in found if path.name.startswith(part)]
    return ordered or [path for path in found if not path.name.startswith("extra")]


def load_parquet(path: Path) -> Digits:
    """Loads parquet files with the columns `image`, a structure with an image file in `bytes`, and `label`, 0..9.

    Args:
        path: A file, or a folder of several.

    Returns:
        The digits in the files' order, taken for real ones.

    Raises:
        SVHNError: A file is missing, cannot be read, or holds something else.
    """
    files = parquet_files(path) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise SVHNError(f"{path}: there is no parquet file; check the path, or use openml, mat or drawn")
    rows = ((file, number, *row) for file in files for number, row in enumerate(_rows(file)))
    named = ((f"{file}, row {number}", content, label) for file, number, content, label in rows)
    return _collect(named, ", ".join(file.name for file in files))


def class_folders(folder: Path) -> list[Path]:
    """The folders `0` to `9` in a folder, or in its `train` and then its `test`; none unless there are all ten."""
    for parts in ((folder,), tuple(folder / part for part in PARTS)):
        found = [part / str(digit) for part in parts for digit in range(10)]
        if all(path.is_dir() for path in found):
            return found
    return []


def load_class_folders(folder: Path) -> Digits:
    """Loads a folder of 32x32 PNGs for each digit.

    Args:
        folder: A folder with the folders `0` to `9`, or with `train` and `test` that have these.

    Returns:
        The digits, folder by folder, in the order of the files' numbers and names, taken for real ones.

    Raises:
        SVHNError: A folder is missing, or a file is no such image.
    """
    folders = class_folders(folder)
    if not folders:
        raise SVHNError(f"{folder}: has no folders 0 to 9 of PNGs, nor train and test with such; make all ten")
    named = ((str(path), path, int(one.name)) for one in folders for path in sorted(one.glob("*.png"), key=_by_number))
    return _collect(named, f"class folders in {folder.name}")


def _by_number(path: Path) -> list[tuple[int, int, str]]:
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", path.stem) if part]


def _rows(path: Path) -> Iterator[tuple[bytes, int]]:
    """The image file and the label of each row."""
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(1024, columns=["image", "label"]):
                for image, label in zip(batch["image"].to_pylist(), batch["label"].to_pylist(), strict=True):
                    yield image["bytes"], label
    except SVHNError:
        raise
    # A damaged file makes pyarrow raise many kinds. Another layout lacks a column or a structure's field.
    except Exception as error:
        raise SVHNError(
            f"{path}: is not Hugging Face's layout of SVHN, columns image (with bytes) and label ({one_line(error)}); "
            "download it again, cropped_digits"
        ) from error


def _collect(named: Iterable[tuple[str, bytes | Path, object]], name: str) -> Digits:
    """Makes digits of triples: a place to name in errors, an image file, a label."""
    images, labels = [], []
    with progress_bar(None, f"reading {name}") as bar:
        for place, content, label in named:
            if not isinstance(label, int) or not 0 <= label <= 9:
                raise SVHNError(f"{place}: label {label!r} is not a digit 0..9; correct it")
            images.append(_pixels(place, content))
            labels.append(label)
            bar.update()
    if not images:
        raise SVHNError(f"{name}: holds no images; choose another data set")
    return Digits(np.stack(images), np.array(labels, np.uint8), name, real=True)


def _pixels(place: str, content: bytes | Path) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(content) if isinstance(content, bytes) else content) as image:
            pixels = np.asarray(image.convert("RGB"))
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged content.
        raise SVHNError(f"{place}: cannot be read as an image ({one_line(error)}); make or copy it again") from error
    if pixels.shape != IMAGE_SHAPE:
        size = f"{pixels.shape[1]}x{pixels.shape[0]}"
        raise SVHNError(f"{place}: has {size} pixels, and SVHN's digits 32x32; cut and resize it first")
    return pixels
