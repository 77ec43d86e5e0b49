"""Archives of strangers: unpacked within limits, and nowhere but into the folder meant for them."""

import bz2
import errno
import gzip
import io
import lzma
import os
import re
import stat
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from svhn.errors import SVHNError
from svhn.files import is_no_room
from svhn.grading.reading.causes import cause_of
from svhn.grading.reading.names import UNPACKED, is_archive

# Folders that are no part of a hand-in, in an archive or out of it.
CACHES = (".git", ".venv", "__pycache__", ".ipynb_checkpoints")
_ARCHIVE_ENTRIES = 2_000
ARCHIVE_BYTES = 1_000_000_000
# Of a `.tar` file, which has no list of contents: caches that are left out are unpacked to find the members after them.
_TAR_MEMBERS, _TAR_BYTES = 20_000, 4_000_000_000
# Of an archive's list of contents, which is read at one go, caches that are left out included.
DIRECTORY_BYTES = 20_000_000


def names_in(path: Path) -> list[str]:
    """The names of the files in a `.zip` file; none where it is damaged or another kind of archive."""
    # zipfile raises whatever a damaged archive makes it run into; `unpack` tells it.
    with suppress(Exception), _Archive(io.FileIO(path)) as file, zipfile.ZipFile(file) as archive:
        return [PurePosixPath(name).name for name in archive.namelist()]
    return []


def unpack(
    archive_path: Path, folder: Path, wanted: Callable[[str], bool], whole: bool
) -> tuple[list[str], dict[Path, str]]:
    """Unpacks a `.zip` or `.tar` file of a stranger; links and caches are left out.

    Bytes are counted as they come: an archive may lie about its own size.

    Args:
        archive_path: The file.
        folder: Where to.
        wanted: Tells of a file's path whether it is unpacked in any case, and before all else.
        whole: Whether to unpack all else as well, as far as that goes.

    Returns:
        What else there is to tell, and where the files that were left packed would lie, each with the reason.

    Raises:
        SVHNError: It is damaged, of a kind that is not unpacked, or unpacking it would do harm.
    """
    if not archive_path.name.lower().endswith(UNPACKED):
        raise SVHNError(f"{archive_path.suffix} archives are not unpacked here; unpack it, or hand in a .zip file")
    try:
        with _opened(archive_path) as entries:
            targets = {entry: folder / entry.place for entry in entries}
            regular = [entry for entry in targets if entry.regular]
            reason = "is an archive in another one; hand in what is in it"
            packed = {targets[entry]: reason for entry in regular if is_archive(entry.place.name)}
            left = ARCHIVE_BYTES
            for entry in regular:
                if wanted(str(entry.place)):
                    left = _unpack_wanted(entry, targets[entry], left, packed)
            return _unpack_rest(targets, left) if whole else [], packed
    except SVHNError:
        raise
    except Exception as error:  # Their modules raise whatever a damaged archive makes them run into.
        if is_no_room(error):
            raise  # It is this machine's fault and not the archive's.
        raise SVHNError(f"the archive cannot be read ({cause_of(error)})") from error


@dataclass(frozen=True)
class _Entry:
    """A member of an archive: its place inside, its kind, and how to read it."""

    place: PurePosixPath
    regular: bool
    folder: bool
    seconds: float | None
    read: Callable[[], Any] = field(compare=False)


@contextmanager
def _opened(path: Path) -> Iterator[list[_Entry]]:
    """An archive's members but caches, each once, in their order."""
    if path.suffix.lower() == ".zip":
        with _Archive(io.FileIO(path)) as file, zipfile.ZipFile(file) as archive:
            yield _limited(_zip_entry(archive, info) for info in archive.infolist())
    else:
        # tarfile wants a file that can be written to as well, and only ever reads this one.
        with _tar_stream(path) as stream, tarfile.open(fileobj=cast(BinaryIO, _Bounded(stream)), mode="r:") as archive:
            yield _limited(_tar_entry(archive, info) for info in _tar_members(archive))


def _tar_stream(path: Path) -> BinaryIO:
    openers: dict[bytes, Callable[[Path, str], Any]] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
    with path.open("rb") as file:
        head = file.read(2)
    return openers.get(head, open)(path, "rb")


class _Bounded:
    """A stream that gives so much at a time: a header in a `.tar` file may ask for gigabytes."""

    def __init__(self, stream: BinaryIO) -> None:
        self.seek, self.tell, self.close = stream.seek, stream.tell, stream.close
        self._read = stream.read

    def read(self, count: int = -1) -> bytes:
        if not 0 <= count <= DIRECTORY_BYTES:
            raise SVHNError("the archive was refused: a name in it is longer than 20 MB")
        return self._read(count)


def _limited(entries: Iterable[_Entry]) -> list[_Entry]:
    chosen: dict[PurePosixPath, _Entry] = {}
    for entry in entries:
        if not set(entry.place.parts) & set(CACHES):
            chosen[entry.place] = entry
    if len(chosen) > _ARCHIVE_ENTRIES:
        raise SVHNError(f"the archive was refused: {len(chosen):,} entries are over the limit of 2,000")
    return list(chosen.values())


def _zip_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Entry:
    seconds = None
    with suppress(ValueError, OverflowError):
        seconds = time.mktime((*info.date_time, 0, 0, -1))
    regular = not info.is_dir() and not stat.S_ISLNK(info.external_attr >> 16)
    return _Entry(_inside(info.filename), regular, info.is_dir(), seconds, lambda: archive.open(info))


def _tar_entry(archive: tarfile.TarFile, info: tarfile.TarInfo) -> _Entry:
    return _Entry(_inside(info.name), info.isreg(), info.isdir(), info.mtime, lambda: archive.extractfile(info))


def _tar_members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The members, as long as finding them unpacks no more than the limits allow."""
    for count, info in enumerate(archive):
        if count > _TAR_MEMBERS or archive.offset > _TAR_BYTES:
            raise SVHNError("the archive was refused: it holds more than 20,000 entries or 4 GB")
        yield info


def _unpack_wanted(entry: _Entry, target: Path, left: int, packed: dict[Path, str]) -> int:
    """Unpacks a file, or notes why it cannot be; returns how many bytes may still follow."""
    try:
        return _unpack_one(entry, target, left)
    except SVHNError:
        raise
    except Exception as error:  # One damaged or encrypted file takes no other with it.
        if is_no_room(error):
            raise
        too_long = getattr(error, "errno", None) == errno.ENAMETOOLONG
        packed[target] = f"cannot be unpacked ({'its name is too long' if too_long else cause_of(error)}); pack it anew"
        with suppress(OSError):
            left -= target.stat().st_size
            target.unlink()
        return left


def _unpack_rest(targets: dict[_Entry, Path], left: int) -> list[str]:
    # Nothing that is graded rests on the rest: a file that cannot be unpacked is only missing when the notebook runs.
    try:
        for entry, target in targets.items():
            if target.exists():
                continue
            if entry.folder:
                target.mkdir(parents=True, exist_ok=True)
            elif entry.regular:
                left = _unpack_one(entry, target, left)
    except Exception as error:
        return [f"not all of the archive was unpacked to run it ({cause_of(error)})"]
    return []


class _Archive(io.BufferedReader):
    """An archive's file, of which no more is read at once than a list of contents may take.

    `ZipFile` reads that list as a whole, before anybody could count it; in memory it grows tenfold.
    """

    def read(self, size: int | None = -1) -> bytes:
        """As for any file.

        Raises:
            SVHNError: So much is asked for as only a list of contents without end would take.
        """
        if size is not None and size > DIRECTORY_BYTES:
            limit = f"over the limit of {DIRECTORY_BYTES // 1_000_000} MB"
            raise SVHNError(f"the archive was refused: its list of contents has {size:,} bytes, {limit}")
        return super().read(size)


def _unpack_one(entry: _Entry, target: Path, left: int) -> int:
    """Unpacks a file with the time that the archive says; returns how many bytes may still follow."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with entry.read() as packed, target.open("wb") as unpacked:
        left = _copy(packed, unpacked, left)
    if entry.seconds is not None:
        with suppress(ValueError, OverflowError, OSError):
            os.utime(target, (entry.seconds, entry.seconds))
    return left


def _inside(name: str) -> PurePosixPath:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if name.startswith(("/", "\\")) or ".." in parts or re.match("[A-Za-z]:", name):
        raise SVHNError(f"the archive was refused: its entry {name[:80]!r} points outside the hand-in")
    return PurePosixPath(*parts)


def _copy(packed: Any, unpacked: BinaryIO, left: int) -> int:
    while chunk := packed.read(min(1 << 20, left + 1)):
        left -= len(chunk)
        if left < 0:
            raise SVHNError("the archive was refused: it holds more than 1 GB")
        unpacked.write(chunk)
    return left
