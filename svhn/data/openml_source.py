"""SVHN from OpenML: data set 41081, fetched once, converted once, opened at once ever after.

The `openml` client finds the data set and its files. Its own reader is never used, because it makes a Python object of
each of 305 million pixels. Here the file streams, a few megabytes at a time, into a `.npy` file.

The steps are `_describe`, `_data_file` (download into the client's cache), `blocks` (decode, in `openml_rows`),
`_convert` (write and publish) and `_reopen`. A data set that was converted before takes the last step only.
"""

import contextlib
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from xml.parsers.expat import ExpatError

import numpy as np

from svhn.data.openml_rows import REMEDY, Block, blocks, digits_of_classes
from svhn.digits import IMAGE_SHAPE, Digits
from svhn.errors import SVHNError, one_line
from svhn.files import atomic_path, only_one, sha256, sweep, write_json
from svhn.progress import progress_bar

# openml takes seconds to import and is needed for the first load only, so the functions import it.
if TYPE_CHECKING:
    from openml import OpenMLDataset

DATASET_ID = 41081
NAME = f"OpenML {DATASET_ID}"
CACHE_NAME = f"openml-{DATASET_ID}"
TIMEOUT_SECONDS = 60


def load_openml(folder: Path) -> Digits:
    """Loads data set 41081, and downloads and converts it where that was not done before.

    The server is `openml.config.server`, or the environment variable OPENML_SERVER where it is set. Downloads go to the
    client's own cache, the converted digits to `folder`/openml-41081.

    Args:
        folder: The data folder. It is made where it is missing.

    Returns:
        All rows in OpenML's order: images uint8 (n, 32, 32, 3), memory-mapped read-only; labels uint8 (n,).

    Raises:
        SVHNError: The server cannot be reached, a file is damaged or is not this data set, or the disk is full.
    """
    cache = Path(folder) / CACHE_NAME
    digits = _reopen(cache)
    if digits is None:
        # Two processes at once would take each other's half downloads for their own.
        with only_one(cache.parent, f"loading of {NAME}", wait=True) as waited:
            digits = (waited and _reopen(cache)) or _fetch(cache)
    if digits is None:
        raise SVHNError(f"{cache}: cannot be read back after writing; check the disk")
    return digits


def _reopen(cache: Path) -> Digits | None:
    """The converted digits, or None where there are none or they are damaged (with a line on stderr).

    Shapes, types and the labels' digest are checked. Hashing 300 MB of pixels at each start would take too long.
    """
    if not cache.exists():
        return None
    try:
        record = json.loads((cache / "meta.json").read_text(encoding="utf-8"))
        if sha256(cache / "labels.npy") != record["labels_sha256"]:
            raise ValueError("labels.npy has been changed")
        images = np.load(cache / "images.npy", mmap_mode="r", allow_pickle=False)
        labels = np.load(cache / "labels.npy", allow_pickle=False)
        return Digits(images, labels, NAME, real=True)
    except (OSError, ValueError, KeyError, TypeError, EOFError, SVHNError) as error:
        print(f"{cache} is damaged ({one_line(error)}); converting again", file=sys.stderr)
        return None


def _fetch(cache: Path) -> Digits | None:
    dataset, classes, rows = _describe()
    source = _data_file(dataset)
    _convert(source, cache, dataset.default_target_attribute or "class", classes, rows)
    return _reopen(cache)


def _describe() -> tuple["OpenMLDataset", list[str] | None, int | None]:
    """The server's description of the data set, its nominal class values in order, and its number of rows."""
    with _client_errors() as openml:
        get = openml.datasets.get_dataset
        try:
            dataset = get(DATASET_ID, download_features_meta_data=True)
        except ExpatError:  # The client was killed while it wrote its own cache.
            dataset = get(DATASET_ID, download_features_meta_data=True, force_refresh_cache=True)
        target = (dataset.default_target_attribute or "class").lower()
        classes = next((f.nominal_values for f in dataset.features.values() if f.name.lower() == target), None)
        rows = None
        # The number of rows only guards against a cut file, so a server without it will do.
        with contextlib.suppress(openml.exceptions.OpenMLServerException, ExpatError):
            rows = (dataset.qualities or {}).get("NumberOfInstances")
    # The client makes NaN of a number that the server lists without a value.
    return dataset, classes, int(rows) if rows and rows == rows else None


def _data_file(dataset: "OpenMLDataset") -> Path:
    """The data file in the client's cache, downloaded where it is missing: parquet where it is offered, else ARFF."""
    with _client_errors() as openml:
        cache = Path(openml.config.get_cache_directory()) / "datasets" / str(DATASET_ID)
        parquet = cache / f"dataset_{DATASET_ID}.pq"
        wanted = os.environ.get(openml.config.OPENML_SKIP_PARQUET_ENV_VAR, "false").lower() != "true"
        # The server is asked first: a client that cannot get the parquet file reads the ARFF in its own way (below).
        url = getattr(dataset, "_parquet_url", None)
        if wanted and url and (parquet.is_file() or _answers(url)):
            shown, openml.config.show_progress = openml.config.show_progress, True
            try:
                found = openml.datasets.get_dataset(DATASET_ID, download_data=True).parquet_file
            finally:
                openml.config.show_progress = shown
            if found:
                return Path(found)
        # The client would hold the ARFF three times in memory (3.5 GB), show no progress, and leave half a file behind
        # when it is killed while writing. So the file is downloaded to the place where the client looks for it.
        return _download_arff(str(dataset.url), dataset.md5_checksum, cache / "dataset.arff")


def _answers(url: str) -> bool:
    import requests

    try:
        return requests.head(url, timeout=TIMEOUT_SECONDS, allow_redirects=True).ok
    except requests.RequestException:
        return False


def _download_arff(url: str, md5: str | None, path: Path) -> Path:
    """Streams `url` to `path`, unless a file with that MD5 digest is there already."""
    if path.is_file():
        with path.open("rb") as file:
            if md5 is None or hashlib.file_digest(file, "md5").hexdigest() == md5:
                return path
    digest = hashlib.md5(usedforsecurity=False)
    with atomic_path(path) as temporary:
        with temporary.open("wb") as file:
            for chunk in _download(url):
                file.write(chunk)
                digest.update(chunk)
        if md5 is not None and digest.hexdigest() != md5:
            raise SVHNError(
                f"{url}: the download's MD5 is {digest.hexdigest()}, not {md5}; try again later, or {REMEDY}"
            )
    return path


def _download(url: str) -> Iterator[bytes]:
    import requests

    try:
        with requests.get(url, stream=True, timeout=TIMEOUT_SECONDS) as response:
            response.raise_for_status()
            size = int(response.headers.get("Content-Length", 0)) or None
            with progress_bar(size, "download", "B", unit_scale=True) as bar:
                for chunk in response.iter_content(1 << 20):
                    yield chunk
                    # The bytes on the wire, which Content-Length counts as well where the server compresses.
                    bar.update(response.raw.tell() - bar.n)
    except requests.RequestException as error:  # It is an OSError, but not one of the disk.
        raise SVHNError(f"{url}: the download failed ({one_line(error)}); try again, or {REMEDY}") from error


@contextlib.contextmanager
def _client_errors() -> Iterator[Any]:
    """Gives the configured client, and turns every exception of its into one line."""
    try:
        import openml
    except OSError as error:  # The client makes its folders when it is imported.
        raise SVHNError(
            f"the openml client cannot make its folders ({one_line(error)}); set HOME to a folder you may write to"
        ) from error
    import requests

    openml.config.server = os.environ.get("OPENML_SERVER", openml.config.server)
    try:
        yield openml
    except SVHNError:
        raise
    except requests.ConnectionError as error:
        raise SVHNError(
            f"{openml.config.server} cannot be reached; check the connection and try again, or {REMEDY}"
        ) from error
    except Exception as error:  # The client passes on the exceptions of its network, XML and storage libraries.
        raise SVHNError(
            f"{openml.config.server}: no data set {DATASET_ID} from there ({one_line(error)}); "
            f"try again later, or {REMEDY}"
        ) from error


def _convert(source: Path, cache: Path, target: str, nominal: list[str] | None, rows: int | None) -> None:
    """Writes the data file's rows as `cache`/images.npy, labels.npy and meta.json, all of them or none."""
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        sweep(cache.parent, f".{cache.name}-????????")
        with tempfile.TemporaryDirectory(prefix=f".{cache.name}-", dir=cache.parent) as scratch:
            fresh = Path(scratch) / cache.name
            fresh.mkdir()
            classes = _write_images(fresh / "images.npy", blocks(source, target), rows)
            if not classes or len(classes) != (rows or len(classes)):
                wanted = "some" if rows is None else f"{rows:,}"
                raise SVHNError(f"{source}: has {len(classes):,} rows, not {wanted}; delete this file and load again")
            np.save(fresh / "labels.npy", digits_of_classes(classes, nominal, source))
            write_json(fresh / "meta.json", {"labels_sha256": sha256(fresh / "labels.npy")})
            if cache.exists():
                shutil.rmtree(cache)
            fresh.rename(cache)
    except OSError as error:
        raise SVHNError(
            f"cannot write {cache}: {error.strerror or error}; free some space or change its rights"
        ) from error


def _write_images(path: Path, stream: Iterator[Block], rows: int | None) -> list[str]:
    """Writes the blocks' pixels to a `.npy` file, and gives their class values."""
    classes: list[str] = []
    with path.open("wb") as file, progress_bar(rows, "convert") as bar:
        _write_header(file, 0)
        for pixels, values in stream:
            file.write(np.ascontiguousarray(pixels).data)
            classes += values
            bar.update(len(values))
        # The number of rows is known only now. NumPy pads its headers, so that a longer first axis still fits.
        file.seek(0)
        _write_header(file, len(classes))
        file.flush()
        os.fsync(file.fileno())
    return classes


def _write_header(file: BinaryIO, rows: int) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": (rows, *IMAGE_SHAPE)}
    np.lib.format.write_array_header_1_0(file, header)
