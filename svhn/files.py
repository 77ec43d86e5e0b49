"""Files that are either there whole or not there at all."""

import contextlib
import errno
import fcntl
import glob
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from svhn.errors import SVHNError


class NoRoom(SVHNError):
    """There is no room on this machine for what was to be written; no hand-in is to blame for that."""


def is_no_room(error: BaseException) -> bool:
    """Whether an error says that a disk is full or may not be written to."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


# The folder, beside what is being made, of what an interrupted work goes on from; ignored by git.
CHECKPOINTS = "checkpoints"
_ABANDONED_SECONDS = 3600
# So young a folder may be one whose owner has not locked it yet.
_UNLOCKED_SECONDS = 60
_OWNER = ".owner"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside `path` and moves it there when the block ends well.

    A kill at any moment leaves `path` as it was; an exception removes the temporary file.

    Args:
        path: The file to write. Its folder is made where it is missing.

    Yields:
        A path in the same folder, with the same suffix, that does not exist yet.

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
    """Tells before a long work what could not be written after it; leaves nothing behind.

    Raises:
        SVHNError: The folder cannot be made or written to.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    with atomic_path(folder / "probe"):
        pass
    (folder / "probe").unlink()
    for path in made:
        with contextlib.suppress(OSError):  # Somebody else is using it already.
            path.rmdir()


def cache_folder(folder: Path) -> Path:
    """The folder for files that can be made again: the one asked for, or one of the person's own.

    Args:
        folder: Where it belongs.

    Returns:
        `folder`, where it can be written to. Otherwise a folder of its name in the person's cache, which is where
        `XDG_CACHE_HOME` says or `~/.cache`, and where that cannot be written to either, a temporary one. It need not be
        there yet: `atomic_path` makes it.
    """
    # One place for each checkout: what two projects keep under one name is never mixed up.
    own = f"{folder.name}-{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:8]}"
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "svhn"
    for candidate in (folder, caches / own):
        with contextlib.suppress(SVHNError):
            check_writable(candidate)
            return candidate
    return Path(tempfile.mkdtemp(prefix="svhn-"))


def sweep(folder: Path, pattern: str) -> None:
    """Removes what killed runs left of temporary files and folders; a run that lives has written within the hour."""
    for left in folder.glob(pattern):
        with contextlib.suppress(OSError):  # gone meanwhile, or not ours to remove
            if time.time() - max(path.stat().st_mtime for path in (left, *left.rglob("*"))) < _ABANDONED_SECONDS:
                continue
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()


@contextmanager
def temporary_folder(prefix: str, place: Path | None = None) -> Iterator[Path]:
    """A folder for as long as the block lasts; those of the same prefix whose processes were killed are removed.

    Args:
        prefix: How its name begins.
        place: Where it lies, None for where temporary files do.

    Raises:
        NoRoom: There is no place for it.
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
    """Removes a temporary folder whose owner lives no more, and so holds no lock on it."""
    with contextlib.suppress(OSError):  # Gone meanwhile, somebody else's, or in use.
        if time.time() - folder.lstat().st_mtime < _UNLOCKED_SECONDS or folder.is_symlink():
            return
        with (folder / _OWNER).open() as owner:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def only_one(folder: Path, work: str) -> Iterator[None]:
    """Keeps a second process from the same work on a folder for as long as the block lasts, or until this one ends.

    Args:
        folder: Made where it is missing.
        work: What it is, "grading".

    Raises:
        SVHNError: Another process is at it, or the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f".{work}.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SVHNError(
                    f"another {work} writes to {folder}; wait for its end, or choose another --out"
                ) from None
            yield
    except OSError as error:
        raise SVHNError(f"cannot write to {folder}: {error.strerror}; choose a folder you may write to") from error


def write_text(path: Path, text: str) -> None:
    """Writes `text` to `path` as UTF-8, whole or not at all.

    What is no text becomes question marks: a name in the file system may be any bytes, and what a program put out may
    hold half a character.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode("utf-8", errors="replace"))


def write_json(path: Path, content: Any) -> None:
    """Writes `content` to `path` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def digest_of(folder: Path, pattern: str = "*") -> str:
    """The SHA-256 digest of a folder's content, in hexadecimal: what files it holds, at any depth, and what they hold.

    Args:
        folder: To look in.
        pattern: Of the names of the files that count, "*.py".
    """
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob(pattern) if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{sha256(path)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def sha256(path: Path) -> str:
    """The SHA-256 digest of a file, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
