"""Temporary folders that do not outlive a process for long, even one that is killed."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_YOUNG_SECONDS = 5  # Between its making and its locking a folder looks abandoned.


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """Gives an empty folder for as long as the block lasts, and removes those that killed processes left behind.

    Args:
        prefix: How the folder's name begins, and the names of those left behind. Nothing else's may begin so.
    """
    place = Path(tempfile.gettempdir())
    for left in place.glob(f"{prefix}*"):
        _remove_if_abandoned(left)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=place) as folder:
        # The lock ends with this process, however that ends.
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield Path(folder)
        finally:
            os.close(handle)


def _remove_if_abandoned(folder: Path) -> None:
    with suppress(OSError):  # Gone meanwhile, somebody else's, in use, or a link.
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            state = os.fstat(handle)
            if state.st_uid == os.getuid() and time.time() - state.st_mtime > _YOUNG_SECONDS:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
        finally:
            os.close(handle)
