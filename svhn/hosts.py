"""One training on several hosts at once, through JAX's distributed runtime; each computes its share of every batch.

The first host keeps the checkpoint, measures the model and stores it. The others need the project and the same digits.
"""

import hashlib
import json
import os
import re
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from svhn.backend import host
from svhn.errors import SVHNError, one_line

# Seconds to wait for hosts that have not begun; until one that says nothing counts as gone; and, once the training is
# over, for the first host to measure and store the model.
_TO_BEGIN, _SILENT, _TO_END = 300, 10, 3600
# The words of JAX's errors where a connection to another host ends.
_LOST = re.compile(r"Gloo|NCCL|DEADLINE_EXCEEDED|UNAVAILABLE|coordination|connection", re.I)
_GONE = (
    "another host is gone, or did not come; give the command again on every host, and the training goes on after the "
    "last epoch that the first host finished"
)


class Helped(Exception):
    """Ends the work of every host but the first, which stores the model."""


def train_together(addresses: str, number: int, work: Callable[[], None]) -> None:
    """Joins this host to the others, and trains.

    The work is done in a child process: when one host is gone, JAX ends the processes of all others where they stand,
    and only another process can then say so in a line.

    Args:
        addresses: Of the hosts, "ADDRESS:PORT,ADDRESS,..."; the first one's port must be free there.
        number: Of this host among them, counted from 0.
        work: The training, begun before Keras is loaded.

    Raises:
        SVHNError: The addresses or the number make no sense, the backend is not JAX, or a host did not come or is gone.
    """
    hosts = addresses.split(",")
    if len(hosts) < 2 or not hosts[0].rpartition(":")[2].isdecimal():
        raise SVHNError(f"--hosts is {addresses!r}; give two or more, the first with a port: 10.0.0.1:8476,10.0.0.2")
    if not 0 <= number < len(hosts):
        raise SVHNError(f"--host is {number}, and there are {len(hosts)} hosts; number them from 0 to {len(hosts) - 1}")
    if os.environ.get("KERAS_BACKEND") != "jax":
        raise SVHNError("only JAX trains on several hosts here; set KERAS_BACKEND=jax on each")
    print(f"host {number} of {len(hosts)}: waiting for the others at {hosts[0]}", flush=True)
    ears, mouth = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ears[1])
        os.close(mouth[0])
        threading.Thread(target=_end_with_parent, args=ears[:1], daemon=True).start()
        _work(hosts, number, work, mouth[1])
    os.close(ears[0])
    os.close(mouth[1])
    message, status = _outcome(child, mouth[0])
    os.close(ears[1])
    if status:
        raise SVHNError(message or f"host {number}: {_GONE}")


def _end_with_parent(ears: int) -> None:
    """Ends the child process when its parent is gone: nobody would end it otherwise."""
    os.read(ears, 1)
    os._exit(2)


def _outcome(child: int, heard: int) -> tuple[str, int]:
    """The last words and the exit status of a child process; an interruption is raised again when it has ended."""
    message, stopped = b"", None
    with open(heard, "rb") as pipe:
        while True:
            try:
                message += pipe.read()
                status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                break
            except KeyboardInterrupt as error:  # From a terminal the child has it as well; once more does no harm.
                stopped = type(error)
                os.kill(child, signal.SIGINT)
    if stopped:
        raise stopped(message.decode())
    return message.decode(), status


def share(batch_size: int) -> slice:
    """The rows of every batch that this host computes; all of them where it trains alone."""
    number, hosts = host()
    rows = batch_size // hosts
    return slice(number * rows, (number + 1) * rows)


@contextmanager
def checkpoints_of_first(folder: Path, name: str, plan: dict[str, Any]) -> Iterator[Path]:
    """Sees to it that every host goes on from the checkpoint of the first one.

    Args:
        folder: Of this host's checkpoints.
        name: Of the checkpoint's file.
        plan: Of the training, in JSON's types.

    Yields:
        The folder of checkpoints to use: the given one on the first host, and a temporary one with a copy elsewhere.

    Raises:
        SVHNError: Another host has another plan.
    """
    number, hosts = host()
    if hosts == 1:
        yield folder
        return
    from jax.experimental.multihost_utils import broadcast_one_to_all, process_allgather

    digest = hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).digest()
    if len(np.unique(process_allgather(np.frombuffer(digest, np.uint8)), axis=0)) > 1:
        raise SVHNError(f"{name}: hosts differ in notebook, digits or settings; make them the same, and begin again")
    path = folder / f"{name}.keras"
    content = path.read_bytes() if number == 0 and path.is_file() else b""
    sent = np.zeros(int(broadcast_one_to_all(np.array(len(content)))), np.uint8)
    if number == 0:
        sent[:] = np.frombuffer(content, np.uint8)
    received = np.asarray(broadcast_one_to_all(sent))
    if number == 0:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="svhn-checkpoint-") as copy:
        if len(received):
            (Path(copy) / path.name).write_bytes(received.tobytes())
        yield Path(copy)


def _work(hosts: list[str], number: int, work: Callable[[], None], said: int) -> None:
    """Trains in the child process, which ends here; writes the reason to `said` where something stops it."""
    # JAX and Gloo write pages of C++ to standard error; Python's own lines and bars keep the terminal.
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    status, message = 0, ""
    try:
        _join(hosts, number)
        with suppress(Helped):
            work()
        _leave()  # When all others have come so far.
    except KeyboardInterrupt as error:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        status, message = 130, str(error)
    except SVHNError as error:
        status, message = 2, str(error)
    except Exception as error:  # JAX raises many kinds where a connection ends, and a notebook's cells raise their own.
        failed = f"the training failed ({type(error).__name__}: {one_line(error)}); mend that, and begin again"
        status, message = 2, f"host {number}: {_GONE if _LOST.search(str(error)) else failed}"
    os.write(said, message.encode())
    sys.stdout.flush()
    os._exit(status)  # Python's own end would wait for the others, who may be waiting for this one.


def _leave() -> None:
    import jax

    jax.distributed.shutdown()


def _join(hosts: list[str], number: int) -> None:
    import jax

    # Python would hear of Ctrl-C only when all hosts have come.
    by_python = signal.signal(signal.SIGINT, signal.SIG_DFL)
    jax.distributed.initialize(
        hosts[0],
        len(hosts),
        number,
        initialization_timeout=_TO_BEGIN,
        heartbeat_timeout_seconds=_SILENT,
        shutdown_timeout_seconds=_TO_END,
    )
    signal.signal(signal.SIGINT, by_python)
