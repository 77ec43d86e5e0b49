"""Files that are either there whole or not there at all."""

import contextlib
import errno
import fcntl
import glob
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from svhn.errors import SVHNError


class NoRoom(SVHNError):
    """A file finds no room on this machine; no hand-in is to blame for that."""


def is_no_room(error: BaseException) -> bool:
    """Whether an error says that a disk is full or may not be written to."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


# The folder of checkpoints, from which an interrupted work goes on. It lies beside the work's results; git ignores it.
CHECKPOINTS = "checkpoints"
_ABANDONED_SECONDS = 3600
# The owner of a younger folder may not have locked it yet.
_UNLOCKED_SECONDS = 60
_OWNER = ".owner"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside `path`, and moves the file to `path` when the block ends without an exception.

    A kill at any moment leaves `path` as it was; an exception removes the temporary file.

    Args:
        path: The file to write. Its folder is made where it is missing.

    Yields:
        The path of an empty file in the same folder, with the same suffix.

    Raises:
        SVHNError: The folder cannot be written to, or the disk is full.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent, f".{glob.escape(path.stem)}-????????.tmp{path.suffix}")
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=f".tmp{path.suffix}", dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise SVHNError(f"cannot write to {path.parent}: {error.strerror}; choose a folder you may write to") from error
    temporary = Path(name)
    try:
        yield temporary
        # Without the flush, a power cut could leave the new name pointing at an empty file.
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except IsADirectoryError as error:
        raise SVHNError(f"cannot write {path}: it is a folder; name a file") from error
    except OSError as error:
        raise SVHNError(
            f"cannot write {path}: {error.strerror or error}; free some space or change its rights"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(folder: Path) -> None:
    """Raises before a long work if its result could not be written; leaves nothing behind.

    Raises:
        SVHNError: The folder cannot be made or written to.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    with atomic_path(folder / "probe"):
        pass
    (folder / "probe").unlink()
    for path in made:
        with contextlib.suppress(OSError):  # Another process is using it already.
            path.rmdir()


def cache_folder(folder: Path, size: int = 0) -> Path:
    """The folder for files that can be made again.

    Args:
        folder: The folder that they belong in.
        size: Their bytes.

    Returns:
        `folder` if it can be written to and has room. Otherwise a folder of its name in the person's cache
        (`XDG_CACHE_HOME` or `~/.cache`), or a temporary folder if that will not do either. It may not exist yet:
        `atomic_path` makes it.

    Raises:
        NoRoom: No folder has room for the files.
    """
    # Each checkout has a folder of its own, so two projects never share files of one name.
    own = f"{folder.name}-{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8]}"
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "svhn"
    for candidate in (folder, caches / own):
        with contextlib.suppress(SVHNError):
            check_writable(candidate)
            _check_room(candidate, size)
            return candidate
    _check_room(Path(tempfile.gettempdir()), size)
    return Path(tempfile.mkdtemp(prefix="svhn-"))


def _check_room(folder: Path, size: int) -> None:
    there = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    if shutil.disk_usage(there).free < size:
        raise NoRoom(f"{folder} has no room for {size / 1e6:,.0f} MB; free some space, or set TMPDIR to a larger disk")


def sweep(folder: Path, pattern: str) -> None:
    """Removes the temporary files and folders of killed runs: those that nothing was written to within the hour."""
    for left in folder.glob(pattern):
        with contextlib.suppress(OSError):  # It is gone meanwhile, or belongs to another user.
            if time.time() - max(path.stat().st_mtime for path in (left, *left.rglob("*"))) < _ABANDONED_SECONDS:
                continue
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()


@contextmanager
def temporary_folder(prefix: str, place: Path | None = None) -> Iterator[Path]:
    """Makes a folder for the time of the block, and removes those of the same prefix whose processes were killed.

    Args:
        prefix: The beginning of its name.
        place: The folder to make it in; None means the folder of temporary files.

    Yields:
        The folder.

    Raises:
        NoRoom: The folder cannot be made.
    """
    folder = None
    try:
        try:
            place = place or Path(tempfile.gettempdir())
            for left in place.glob(f"{glob.escape(prefix)}*"):
                _remove_abandoned(left)
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
            owner = (folder / _OWNER).open("w")
            fcntl.flock(owner, fcntl.LOCK_EX)
            inside = folder / "content"
            inside.mkdir()
        except OSError as error:
            where = f"cannot write to {place}" if place else "no folder takes temporary files"
            raise NoRoom(f"{where}: {error.strerror}; free some space or set TMPDIR") from error
        with owner:
            yield inside
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(folder: Path) -> None:
    """Removes a temporary folder whose owner was killed, and so holds no lock on it."""
    with contextlib.suppress(OSError):  # It is gone meanwhile, belongs to another user, or is in use.
        if time.time() - folder.lstat().st_mtime < _UNLOCKED_SECONDS or folder.is_symlink():
            return
        with (folder / _OWNER).open() as owner:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def only_one(folder: Path, work: str, wait: bool = False) -> Iterator[bool]:
    """Keeps every other process from the same work on a folder while the block runs. A killed process gives way.

    Args:
        folder: The folder. It is made where it is missing.
        work: The work's name, "grading".
        wait: Whether to wait for another process, rather than to raise.

    Yields:
        Whether there was another process to wait for.

    Raises:
        SVHNError: Another process is at work, or the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY)
        try:
            yield _lock(lock, f"another {work} writes to {folder}", wait)
        finally:
            os.close(lock)
    except OSError as error:
        raise SVHNError(f"cannot write to {folder}: {error.strerror}; choose a folder you may write to") from error


def _lock(folder: int, other: str, wait: bool) -> bool:
    """Locks an open folder and tells whether it had to wait for another process, which `other` names."""
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if not wait:
            raise SVHNError(f"{other}; wait for its end, or choose another --out") from None
        print(f"{other}; waiting for it", file=sys.stderr)
        fcntl.flock(folder, fcntl.LOCK_EX)
        return True
    except OSError:  # Some network drives know no locks. Their users see to it that one process works at a time.
        pass
    return False


def write_text(path: Path, text: str) -> None:
    """Writes `text` to `path` as UTF-8, whole or not at all.

    Characters that UTF-8 does not have become question marks: names in the file system may be any bytes, and a
    program's output may hold half a character.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode("utf-8", errors="replace"))


def write_json(path: Path, content: Any) -> None:
    """Writes `content` to `path` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def digest_of(folder: Path, pattern: str = "*") -> str:
    """The SHA-256 digest of a folder in hexadecimal: of its files' paths, at any depth, and of their content.

    Args:
        folder: The folder.
        pattern: A pattern of the names of the files that count, "*.py".
    """
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob(pattern) if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{sha256(path)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def sha256(path: Path) -> str:
    """The SHA-256 digest of a file, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
