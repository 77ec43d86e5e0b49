"""The sources of digits, and the one function that turns a source's name into `Digits`."""

import struct
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from svhn.data.image_files import class_folders, load_class_folders, load_parquet, parquet_files
from svhn.data.openml_source import CACHE_NAME, load_openml
from svhn.digits import IMAGE_SHAPE, Digits
from svhn.errors import SVHNError, one_line
from svhn.files import atomic_path, cache_folder
from svhn.settings import SOURCES

MAT_FILES = ("train_32x32.mat", "test_32x32.mat")
EXTRA_FILE = "extra_32x32.mat"
DRAWN_DIGITS = 4000
DRAWN_SEED = 1


def load_digits(source: str | Path | None = None, folder: Path = Path("data")) -> Digits:
    """Loads the digits of a source.

    Args:
        source: One of these names, or a path. "openml" is data set 41081. "mat" is the official train_32x32.mat and
            test_32x32.mat in `folder`, in that order, and "extra" these and extra_32x32.mat. "parquet" is Hugging
            Face's files of SVHN in `folder`, "folders" a folder of PNGs for each digit, in `folder`. "drawn" is digits
            that this project draws. A path is that of a parquet file, of an `.npz` file with `X`, uint8
            (n, 32, 32, 3), and `y`, integers (n,), the digits 0..9, or of another data folder. None takes the first
            that `folder` holds: the official files, converted OpenML digits, parquet files, class folders, its only
            `.npz` file. Without any of these it takes drawn digits.
        folder: The data folder, which also keeps converted and drawn digits.

    Returns:
        All digits of the source: images uint8 (n, 32, 32, 3), labels uint8 (n,).

    Raises:
        SVHNError: There is no such source, or one of its files is missing, damaged, or of another kind.

    Example:
        >>> load_digits("drawn").description
        '4,000 digits drawn by this project, not SVHN (drawn, seed 1)'
    """
    chosen, folder = _choose(source, Path(folder))
    match chosen:
        case "openml":
            return load_openml(folder)
        case "mat":
            return _load_mat(folder, MAT_FILES)
        case "extra":
            return _load_mat(folder, (*MAT_FILES, EXTRA_FILE))
        case "parquet":
            return load_parquet(folder)
        case "folders":
            return load_class_folders(folder)
        case "drawn":
            return drawn_digits(DRAWN_DIGITS, DRAWN_SEED, folder)
    if chosen.endswith(".parquet"):
        return load_parquet(Path(chosen).expanduser())
    if chosen.endswith(".npz"):
        return _load_npz(Path(chosen).expanduser())
    raise SVHNError(
        f"there is no data source {chosen!r}; use {', '.join(SOURCES)}, or the path of an .npz or .parquet file "
        "or of a folder"
    )


def source_files(source: str | Path | None = None, folder: Path = Path("data")) -> tuple[str, list[Path]]:
    """The source that `load_digits` would take, and those of its files that exist already.

    Args:
        source: A source, as `load_digits` takes it.
        folder: The data folder.
    """
    chosen, folder = _choose(source, Path(folder))
    named = {
        "openml": [folder / CACHE_NAME],
        "mat": [folder / name for name in MAT_FILES],
        "extra": [folder / name for name in (*MAT_FILES, EXTRA_FILE)],
        "parquet": parquet_files(folder),
        "folders": class_folders(folder),
        "drawn": [drawn_path(DRAWN_DIGITS, DRAWN_SEED, folder)],
    }
    paths = named[chosen] if chosen in named else [Path(chosen).expanduser()]
    return chosen, [path for path in paths if path.exists()]


def _choose(source: str | Path | None, folder: Path) -> tuple[str, Path]:
    """A source's name or path, and its data folder."""
    chosen = str(source or found_in(folder))
    if chosen in SOURCES:
        return chosen, folder
    try:
        named = Path(chosen).expanduser()
        if not named.is_dir():
            return chosen, folder
        found = found_in(named)
    except (OSError, RuntimeError) as error:  # A folder that may not be read, or the home of an unknown user.
        raise SVHNError(f"{chosen}: cannot be opened ({one_line(error)}); name digits that you may read") from error
    if found == "drawn":
        raise SVHNError(f"{named} holds no digits; put {' and '.join(MAT_FILES)} or one .npz with X and y there")
    return found, named


def found_in(folder: Path) -> str:
    """The source that a data folder holds.

    Returns:
        "mat", "openml", "parquet", "folders", the path of its only `.npz` file, or "drawn".

    Raises:
        SVHNError: It holds several.
    """
    # One of the two official files is enough: an error that names the missing one beats passing over the other.
    if any((folder / name).exists() for name in MAT_FILES):
        return "mat"
    if (folder / CACHE_NAME).exists():
        return "openml"
    if parquet_files(folder):
        return "parquet"
    if class_folders(folder):
        return "folders"
    archives = [path for path in sorted(folder.glob("*.npz")) if not path.name.startswith((".", "drawn-"))]
    # Networks' weights may lie there as well. A file that cannot be opened counts as digits, and is named when read.
    archives = [path for path in archives if not _holds_weights(path)]
    if len(archives) > 1:
        names = ", ".join(path.name for path in archives[:5])
        raise SVHNError(f"{folder} holds several data sets ({names}); choose one with --data {archives[0]}")
    return str(archives[0]) if archives else "drawn"


def _holds_weights(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/kernel.npy") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def _load_mat(folder: Path, names: Sequence[str]) -> Digits:
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise SVHNError(
            f"{folder}: {' and '.join(missing)} missing; get {'it' if len(missing) == 1 else 'them'} from "
            "http://ufldl.stanford.edu/housenumbers/, or use --data openml"
        )
    parts = [read_mat(folder / name) for name in names]
    labels = np.concatenate([labels for _, labels in parts])
    images = np.empty((len(labels), *IMAGE_SHAPE), np.uint8)
    start = 0
    while parts:  # Each part's memory is freed once it is copied: all of SVHN takes 2 GB.
        part, _ = parts.pop(0)
        images[start : start + len(part)] = part
        start += len(part)
    kinds = [name.removesuffix("_32x32.mat") for name in names]
    return Digits(images, labels, f"official {', '.join(kinds[:-1])} and {kinds[-1]} files", real=True)


def read_mat(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Reads an official file, whose images lie as (32, 32, 3, n).

    Returns:
        Images, uint8 (n, 32, 32, 3), and labels, uint8 (n,), the digits 0..9.

    Raises:
        SVHNError: The file is damaged, or holds something else.
    """
    from scipy.io import loadmat

    with _readable(path, "download it again"):
        content = loadmat(path, variable_names=["X", "y"])
        images, labels = np.asarray(content["X"]), np.asarray(content["y"])
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[:3] != IMAGE_SHAPE:
        raise SVHNError(
            f"{path}: X must be uint8 of shape (32, 32, 3, n), not {images.dtype} of shape {images.shape}; "
            "download it again"
        )
    labels = _whole_labels(labels.ravel(), 1, 10, path)
    if len(labels) != images.shape[3]:
        raise SVHNError(f"{path}: {len(labels)} labels for {images.shape[3]} images; download it again")
    return images.transpose(3, 0, 1, 2), labels % 10


def _load_npz(path: Path) -> Digits:
    if not path.is_file():
        raise SVHNError(f"{path}: no such file; check the path, or use openml, mat or drawn")
    with _readable(path, "make or copy it again"), np.load(path, allow_pickle=False) as archive:
        images, labels = _mapped(archive, "X"), np.asarray(archive["y"])
        real = bool(archive["real"]) if "real" in archive else True
        identity = str(archive["identity"]) if "identity" in archive else None
    return Digits(images, _whole_labels(labels, 0, 9, path), path.name, real, identity)


def _mapped(archive: np.lib.npyio.NpzFile, name: str) -> np.ndarray:
    """An array of an archive, mapped into memory where it is not compressed."""
    packed, member = archive.zip, f"{name}.npy"
    assert packed is not None and packed.filename is not None
    if name not in archive or packed.getinfo(member).compress_type != zipfile.ZIP_STORED:
        return np.asarray(archive[name])
    with packed.open(member) as stored:
        first = np.lib.format.read_magic(stored) == (1, 0)
        read_header = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
        shape, by_columns, kind = read_header(stored)
        header = stored.tell()
        while stored.read(1 << 20):  # Its check sum is compared at its end.
            pass
    if kind.hasobject or 0 in shape:  # Objects are refused when they are read. An empty array cannot be mapped.
        return np.asarray(archive[name])
    with Path(packed.filename).open("rb") as raw:
        raw.seek(packed.getinfo(member).header_offset + 26)
        start = raw.tell() + 4 + sum(struct.unpack("<HH", raw.read(4))) + header
    return np.memmap(packed.filename, kind, "r", start, shape, "F" if by_columns else "C")


def drawn_digits(n: int, seed: int, folder: Path = Path("data")) -> Digits:
    """The digits of `draw(n, seed)`, which `folder` keeps from the first time on, until there is a new edition.

    Raises:
        SVHNError: `draw` raises it, or the disk is full.
    """
    from svhn.drawn.drawing import draw

    path = drawn_path(n, seed, folder)
    if path.exists():
        try:
            digits = _load_npz(path)
            if len(digits) == n and not digits.real:
                return replace(digits, name=f"drawn, seed {seed}")
        except SVHNError:
            pass  # They are drawn again below, and are the same each time.
    kept = cache_folder(path.parent)
    if kept != path.parent:
        return drawn_digits(n, seed, kept)
    with atomic_path(path) as temporary:
        digits = draw(n, seed)
        np.savez(temporary, X=digits.images, y=digits.labels, real=False, identity=str(digits.identity))
    for outdated in folder.glob(f"drawn-{n}-{seed}-*.npz"):
        if outdated != path:
            with suppress(OSError):  # It is gone meanwhile, or belongs to another user.
                outdated.unlink()
    return digits


def drawn_path(n: int, seed: int, folder: Path = Path("data")) -> Path:
    """The file that keeps drawn digits. Those of an earlier edition have another name."""
    from svhn.drawn.drawing import EDITION

    return Path(folder) / f"drawn-{n}-{seed}-edition{EDITION}.npz"


@contextmanager
def _readable(path: Path, remedy: str) -> Iterator[None]:
    """Turns every exception of a file's reader into an `SVHNError` that names the file and the remedy."""
    try:
        yield
    except KeyError as error:
        name = str(error.args[0]).split(" ")[0]
        raise SVHNError(f"{path}: has no array {name}; it needs X (images) and y (labels); {remedy}") from error
    # A damaged file makes SciPy, NumPy and zipfile raise many kinds, from struct.error to zlib.error.
    except Exception as error:
        raise SVHNError(f"{path}: cannot be read ({one_line(error)}); {remedy}") from error


def _whole_labels(labels: np.ndarray, low: int, high: int, path: Path) -> np.ndarray:
    """Checks that labels are whole numbers from `low` to `high`, and gives them as uint8."""
    if labels.dtype.kind not in "iu":
        raise SVHNError(f"{path}: labels y must be integers, not {labels.dtype}; convert them first")
    if labels.size and (labels.min() < low or labels.max() > high):
        raise SVHNError(f"{path}: labels y go from {labels.min()} to {labels.max()}, not {low}..{high}; correct them")
    return labels.astype(np.uint8)
