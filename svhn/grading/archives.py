"""Archives of strangers: unpacked within limits, and nowhere but into the folder meant for them."""

import io
import os
import re
import stat
import time
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from svhn.errors import SVHNError, one_line

# Folders that are no part of a hand-in, in an archive or out of it.
CACHES = (".git", ".venv", "__pycache__", ".ipynb_checkpoints")
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".rar", ".7z")
_ARCHIVE_ENTRIES = 2_000
_ARCHIVE_BYTES = 1_000_000_000
# Of an archive's list of contents, which is read at one go, caches that are left out included.
_DIRECTORY_BYTES = 20_000_000


def unopened(names: Iterable[str]) -> list[str]:
    """The finding that there are archives in a hand-in, which stay as they are."""
    archives = [name for name in names if name.lower().endswith(_ARCHIVES)]
    if not archives:
        return []
    more = f" and {len(archives) - 3} more" if len(archives) > 3 else ""
    return [f"not opened: {', '.join(archives[:3])}{more}; where hand-ins are in there, unpack them and grade again"]


def unpack(archive_path: Path, folder: Path, wanted: Callable[[str], bool], whole: bool) -> list[str]:
    """Unpacks a `.zip` file of a stranger; links and caches are left out.

    Bytes are counted as they come: what an archive declares of itself may be a lie.

    Args:
        archive_path: The file.
        folder: Where to.
        wanted: Tells of a file's name whether it is unpacked in any case, and before all else.
        whole: Whether to unpack all else as well, as far as that goes.

    Returns:
        What was left packed, one line each.

    Raises:
        SVHNError: It is damaged, or unpacking it would do harm.
    """
    left = _ARCHIVE_BYTES
    try:
        with _Archive(io.FileIO(archive_path)) as file, zipfile.ZipFile(file) as archive:
            places = {entry: _inside(entry.filename) for entry in archive.infolist()}
            targets = {entry: folder / place for entry, place in places.items() if not set(place.parts) & set(CACHES)}
            entries = list(targets)
            if len(entries) > _ARCHIVE_ENTRIES:
                raise SVHNError(f"the archive was refused: {len(entries):,} entries are over the limit of 2,000")
            regular = [entry for entry in entries if not entry.is_dir() and not stat.S_ISLNK(entry.external_attr >> 16)]
            for entry in regular:
                if wanted(targets[entry].name):
                    left = _unpack_one(archive, entry, targets[entry], left)
            packed = unopened(str(targets[entry].relative_to(folder)) for entry in regular)
            if not whole:
                return packed
            # Nothing that is graded rests on the rest: what cannot be unpacked is only missing when the notebook runs.
            try:
                for entry in entries:
                    target = targets[entry]
                    if target.exists():
                        continue
                    if entry.is_dir():
                        target.mkdir(parents=True, exist_ok=True)
                    elif entry in regular:
                        left = _unpack_one(archive, entry, target, left)
            except Exception as error:
                return [*packed, f"not all of the archive was unpacked to run it ({one_line(error)})"]
            return packed
    except SVHNError:
        raise
    except Exception as error:  # zipfile raises whatever a damaged archive makes it run into.
        raise SVHNError(f"the archive cannot be read ({one_line(error)})") from error


class _Archive(io.BufferedReader):
    """An archive's file, of which nothing is read at once but what a list of contents may take.

    `ZipFile` reads that list as a whole, before anybody could count it; in memory it grows tenfold.
    """

    def read(self, size: int | None = -1) -> bytes:
        """As for any file.

        Raises:
            SVHNError: So much is asked for as only a list of contents without end would take.
        """
        if size is not None and size > _DIRECTORY_BYTES:
            limit = f"over the limit of {_DIRECTORY_BYTES // 1_000_000} MB"
            raise SVHNError(f"the archive was refused: its list of contents has {size:,} bytes, {limit}")
        return super().read(size)


def _unpack_one(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, left: int) -> int:
    """Unpacks a file with the time that the archive says; returns how many bytes may still follow."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry) as packed, target.open("wb") as unpacked:
        left = _copy(packed, unpacked, left)
    with suppress(ValueError, OverflowError):
        seconds = time.mktime((*entry.date_time, 0, 0, -1))
        os.utime(target, (seconds, seconds))
    return left


def _inside(name: str) -> PurePosixPath:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if name.startswith(("/", "\\")) or ".." in parts or re.match("[A-Za-z]:", name):
        raise SVHNError(f"the archive was refused: its entry {name[:80]!r} points outside the hand-in")
    return PurePosixPath(*parts)


def _copy(packed: zipfile.ZipExtFile, unpacked: BinaryIO, left: int) -> int:
    while chunk := packed.read(min(1 << 20, left + 1)):
        left -= len(chunk)
        if left < 0:
            raise SVHNError("the archive was refused: it holds more than 1 GB")
        unpacked.write(chunk)
    return left
