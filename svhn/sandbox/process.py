"""Runs a function on untrusted files in a process of its own, which may hang, swell or die without harm."""

import json
import math
import multiprocessing
import os
import resource
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from svhn.backend import silence
from svhn.errors import SVHNError, one_line
from svhn.files import NoRoom
from svhn.typed import to_json

_REPLY_BYTES = 64_000_000
# Folders for the forking process's socket, if the folder for temporary files takes none: its name is too long for an
# address, or its disk is full.
_SHORT_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")
_ADDRESS_BYTES = 103  # Linux takes four more, macOS does not.
_ADDED = len("/pymp-xxxxxxxx/listener-xxxxxxxx")  # `multiprocessing` adds this to the folder's name.
_start = threading.Lock()
_stopped = threading.Event()
_serving = threading.Event()
# One clean process imports Keras once and forks for each call: a fork takes a tenth of a second, an import ten.
_context = multiprocessing.get_context("forkserver")


@dataclass(frozen=True)
class Limits:
    """The limits of one call.

    Attributes:
        seconds: Wall-clock time.
        memory: Bytes of address space above those of an idle process.
        file_bytes: The size of the largest file that it may write.
        threads: The number of threads that compute.
    """

    seconds: float = 600
    memory: int = 4_000_000_000
    file_bytes: int = 500_000_000
    threads: int = 1


class Refused(SVHNError):
    """A file of a hand-in is not loaded; the text is the reason, in words for the report."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Ends every process that `run_isolated` waits for, in any thread, if the block is interrupted."""
    _stopped.clear()
    try:
        yield
    except BaseException:
        _stopped.set()
        for process in multiprocessing.active_children():
            process.kill()
        raise


def raise_if_stopped() -> None:
    """Ends a wait in another thread than the one that was interrupted.

    Raises:
        KeyboardInterrupt: The block of `stoppable` was interrupted.
    """
    if _stopped.is_set():
        raise KeyboardInterrupt


def run_isolated(function: Callable[..., Any], *arguments: Any, limits: Limits) -> dict[str, Any]:
    """Calls a function in another process and waits for it.

    Args:
        function: A function of a module. It takes `arguments` and returns JSON's types or dataclasses of them.
        *arguments: Picklable values. They go to the other process, and nothing pickled comes back.
        limits: The limits of the call.

    Returns:
        One of four: `{"result": ...}`; `{"refused": reason}` where the function raised an `SVHNError`; `{"refused":
        reason, "spent": True}` where it used up a limit or its process died; `{"fault": text}` where it raised any
        other exception, which is a defect of this package.

    Raises:
        KeyboardInterrupt: The block of `stoppable` around it was interrupted.
    """
    raise_if_stopped()
    receive, send = _context.Pipe(duplex=False)
    process = _context.Process(target=_call, args=(send, function, arguments, limits), daemon=True)
    with _start, _silent_server():
        process.start()
    send.close()
    try:
        reply = _receive(receive, process, limits)
        raise_if_stopped()
        return reply
    finally:
        receive.close()
        if process.is_alive():
            process.kill()
        process.join()


def _receive(receive: Connection, process: Any, limits: Limits) -> dict[str, Any]:
    if not receive.poll(limits.seconds):
        return _spent(f"it took longer than {limits.seconds:,.0f} s and was stopped")
    try:
        # The reply is JSON: a pickle from a subverted process would take over this one.
        reply = json.loads(receive.recv_bytes(_REPLY_BYTES))
        # Half a surrogate pair is a string to Python, but cannot be written to a file.
        reply = json.loads(json.dumps(reply, ensure_ascii=False).encode(errors="replace"))
    except (EOFError, OSError):
        process.join(10)
        return _spent(_death(process.exitcode, limits))
    except (ValueError, RecursionError):
        return _spent("its process sent no readable answer")
    return reply if isinstance(reply, dict) else _spent("its process sent no readable answer")


def _spent(reason: str) -> dict[str, Any]:
    return {"refused": reason, "spent": True}


def _death(code: int | None, limits: Limits) -> str:
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"it used more than {limits.seconds:,.0f} s or all memory, and was stopped"
    if code == -signal.SIGABRT:
        return f"it asked for more than {limits.memory / 1e9:.0f} GB of memory, and was stopped"
    return f"its process died ({signal.Signals(-code).name if code and code < 0 else f'status {code}'})"


@contextmanager
def _silent_server() -> Iterator[None]:
    """Starts the forking process once, without its standard error, which TensorFlow's start-up notes would fill."""
    if _serving.is_set():
        yield
        return
    _context.set_forkserver_preload([f"{__package__}.preloaded"])
    with silence():
        _start_server()
    _serving.set()
    yield


def _start_server() -> None:
    """Starts the forking process, even where TMPDIR takes no socket."""
    reason = "their names are too long"
    usual = tempfile.tempdir
    try:
        for folder in (tempfile.gettempdir(), *_SHORT_FOLDERS):
            if len(os.fsencode(folder)) + _ADDED <= _ADDRESS_BYTES:
                # `multiprocessing` makes its folder here, and remembers it.
                tempfile.tempdir = folder
                try:
                    return forkserver.ensure_running()
                except OSError as error:
                    reason = error.strerror or str(error)
    except OSError as error:
        reason = error.strerror or str(error)
    finally:
        tempfile.tempdir = usual
    raise NoRoom(f"no folder for temporary files takes a socket ({reason}); set TMPDIR to a short name with free space")


def _call(send: Connection, function: Callable[..., Any], arguments: tuple, limits: Limits) -> None:
    """Sets the limits in the other process, and calls the function there."""
    _limit(limits)
    try:
        reply = {"result": to_json(function(*arguments))}
    except NoRoom as error:
        reply = {"fault": str(error)}
    except SVHNError as error:
        reply = {"refused": str(error)}
    except MemoryError:
        reply = _spent(f"it asked for more than {limits.memory / 1e9:.0f} GB of memory")
    except RecursionError:
        reply = {"refused": "it is nested too deeply"}
    except Exception as error:  # The grader is told in one line, and the other hand-ins go on.
        reply = {"fault": f"{type(error).__name__}: {one_line(error)}"}
    with suppress(BrokenPipeError):
        send.send_bytes(json.dumps(reply).encode())
    send.close()


def _limit(limits: Limits) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ |= {"TF_NUM_INTRAOP_THREADS": str(limits.threads), "CUDA_VISIBLE_DEVICES": "-1"}
    status = Path("/proc/self/statm")
    # Without /proc (macOS) there is no limit on memory either.
    used = int(status.read_text().split()[0]) * resource.getpagesize() if status.exists() else 1 << 50
    seconds = math.ceil(limits.seconds * max(1, limits.threads))
    wanted = {
        resource.RLIMIT_AS: used + limits.memory,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: limits.file_bytes,
        resource.RLIMIT_CORE: 0,
    }
    for kind, value in wanted.items():
        resource.setrlimit(kind, (value, value))
    # Where the grader itself was killed, only its own alarm stops this process.
    signal.alarm(math.ceil(limits.seconds) + 5)
