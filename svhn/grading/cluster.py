"""Hand-ins examined on a Dask cluster, by the same code as here, behind `concurrent.futures`.

The scheduler imports this module too, so the code that only workers need is imported where it is used.
"""

import atexit
import logging
import multiprocessing
import pickle
import shutil
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from svhn.errors import SVHNError, one_line
from svhn.files import NoRoom, temporary_folder
from svhn.grading.reading.names import shown_name

if TYPE_CHECKING:
    from svhn.data.laid_out import MeasuredDigits
    from svhn.grading.examination import Job

_ANSWER_SECONDS = 10
# The digits that this process has copied for itself; they are removed when it ends.
_digits: dict[str, "MeasuredDigits"] = {}
_copies = ExitStack()
_copying = threading.Lock()
atexit.register(_copies.close)


@contextmanager
def cluster(scheduler: str) -> Iterator[Executor]:
    """The workers of a Dask scheduler, as a pool.

    Args:
        scheduler: Its address, "tcp://10.0.0.1:8786" or "10.0.0.1:8786".

    Raises:
        SVHNError: Dask is not installed, no scheduler answers there, or it has no workers.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise SVHNError("--scheduler needs Dask; install it: pip install distributed") from error
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # Its many lines become one here.
    try:
        client = Client(scheduler, timeout=_ANSWER_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:  # A TimeoutError is an OSError.
        raise SVHNError(
            f"{scheduler}: no Dask scheduler answers there ({one_line(error)}); start one, dask scheduler, or correct "
            "the address"
        ) from error
    with client:
        if not client.scheduler_info(n_workers=-1)["workers"]:
            raise SVHNError(f"{scheduler}: the scheduler has no workers; start some: dask worker {scheduler}")
        # Not pure: a hand-in may have changed since a worker looked at it.
        yield client.get_executor(pure=False)


def packed(job: "Job") -> bytes:
    """A job as it travels: the scheduler opens each object that it passes on, and bytes make it import nothing."""
    return pickle.dumps(replace(job, out=job.out.resolve()))


def examine_there(name: str, path: Path, packed_job: bytes, code: str) -> None:
    """Examines a hand-in in a worker's process, as `examine_one` does in the command's own.

    Args:
        name: Of the hand-in.
        path: Where it lies.
        packed_job: What it needs, as `packed` gives it.
        code: The digest of the command's own code.

    Raises:
        SVHNError: As `examine_one` does; or the worker has other code, or does not see the same folders.
    """
    from svhn.grading.examination import code_digest, examine_one

    here = socket.gethostname()
    if code != code_digest():
        raise SVHNError(f"the worker on {here} has another version of this project; give it the same and restart it")
    job: Job = pickle.loads(packed_job)
    assert job.digits is not None
    for needed in (path, job.out, Path(job.digits.folder)):
        if not needed.exists():
            raise SVHNError(
                f"the worker on {here} sees no {shown_name(needed)}; keep hand-ins and --out where all workers see them"
            )
    # A worker's process is a daemon by default, which may start none of its own; hand-ins are opened in such.
    multiprocessing.current_process().daemon = False
    examine_one(name, path, replace(job, digits=_copied(job.digits)))


def _copied(digits: "MeasuredDigits") -> "MeasuredDigits":
    """The digits in a folder of this process's own machine, copied once for all hand-ins that it examines."""
    with _copying:
        known = repr(digits.provenance)
        if known not in _digits:
            with ExitStack() as stack:
                folder = stack.enter_context(temporary_folder("svhn-digits-"))
                try:
                    for file in Path(digits.folder).iterdir():
                        shutil.copy(file, folder)
                except OSError as error:
                    raise NoRoom(
                        f"cannot copy the digits to {folder.parent}: {error.strerror}; free some space"
                    ) from error
                _copies.push(stack.pop_all())
            _digits[known] = replace(digits, folder=str(folder))
        return _digits[known]
