"""Runs an untrusted command in bubblewrap: without network, on a read-only system, within limits."""

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import IO

import psutil

from svhn.errors import SVHNError, one_line
from svhn.sandbox import lockdown
from svhn.sandbox.mounts import HARNESS, confinement, inside_python
from svhn.sandbox.watch import Limits, watch

_END_SECONDS = 5
_MOST_ERRORS = 1 << 18
_REMEDY = (
    "install bubblewrap 0.8 or newer and libseccomp (Debian, Ubuntu: apt install bubblewrap libseccomp2) and allow "
    "user namespaces (sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns=0)"
)


@dataclass(frozen=True)
class Confined:
    """The outcome of a confined command.

    Attributes:
        status: Its exit status, negative for a signal.
        stopped: The limit at which it was stopped, as the end of a sentence that starts with "it"; None where it ended
            by itself.
        seconds: The time that it ran.
        output: Its standard output, at most the limit's bytes.
        errors: The beginning of its standard error.
    """

    status: int
    stopped: str | None
    seconds: float
    output: bytes
    errors: bytes


def run_confined(
    command: Sequence[str | Path],
    readable: Mapping[Path, Path] | None = None,
    environment: Mapping[str, str] | None = None,
    limits: Limits | None = None,
) -> Confined:
    """Runs a command in a sandbox and waits for its end, or ends it at the first limit that it passes.

    The sandbox has no network but a loopback of its own. Of the machine's files it has /usr, this Python with its
    packages, this package under HARNESS, and `readable`, all read-only. Written files are gone when the command ends.
    Only its standard output and error come out, and they are untrusted.

    Args:
        command: The program, an absolute path inside, and its arguments.
        readable: Readable files and folders, as {path inside: path outside}.
        environment: The command's variables beside PATH, HOME, TMPDIR, USER and LANG.
        limits: The command's limits; None means the defaults.

    Returns:
        The command's outcome.

    Raises:
        SVHNError: There is no working sandbox.
        KeyboardInterrupt: The block of `svhn.sandbox.process.stoppable` around it was interrupted.
    """
    if not shutil.which("bwrap"):
        raise SVHNError(f"hand-ins are executed in a sandbox only, and bubblewrap is not installed; {_REMEDY}")
    limits = limits or Limits()
    started = time.monotonic()
    script = HARNESS / "svhn" / "sandbox" / Path(lockdown.__file__).name
    starter = [inside_python(), "-I", "-S", script, json.dumps(asdict(limits))]
    with confinement(readable or {}, environment or {}, limits.disk) as (arguments, inherited):
        process = subprocess.Popen(
            [*arguments, "--", *map(str, [*starter, *command])],
            # The command could read bubblewrap's environment in process 1.
            env={},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=inherited,
            # In this session, Ctrl-C would end the command, as if the hand-in had ended it.
            start_new_session=True,
        )
    with _ended(process):
        assert process.stdout and process.stderr  # Pipes, as asked for.
        output, errors = _Pipe(process.stdout, limits.output), _Pipe(process.stderr, _MOST_ERRORS)
        stopped = watch(process, limits, started, lambda: output.overflowed)
    told, complaints = output.read(), errors.read()
    if process.returncode == lockdown.FAILED and not stopped:
        raise SVHNError(f"the sandbox does not work here ({one_line(complaints.decode(errors='replace'))}); {_REMEDY}")
    return Confined(process.returncode, stopped, time.monotonic() - started, told, complaints)


@cache
def sandbox_problem() -> str | None:
    """The reason, with its remedy, why hand-ins cannot be executed on this machine, or None. It is tried out once."""
    try:
        tried = run_confined([inside_python(), "-I", "-S", "-c", ""], limits=Limits(seconds=30))
    except SVHNError as error:
        return str(error)
    if tried.status:
        reason = one_line(tried.errors.decode(errors="replace"))
        return f"the sandbox does not work here ({reason}); {_REMEDY}"
    return None


class _Pipe:
    """Reads a pipe to its end in a thread, and keeps its first bytes."""

    def __init__(self, stream: IO[bytes], most: int) -> None:
        self.content, self.most, self.overflowed = bytearray(), most, False
        self.thread = threading.Thread(target=self._fill, args=(stream,), daemon=True)
        self.thread.start()

    def read(self) -> bytes:
        """Waits until the other end is closed, and gives the kept bytes."""
        self.thread.join()
        return bytes(self.content)

    def _fill(self, stream: IO[bytes]) -> None:
        with stream:
            while chunk := os.read(stream.fileno(), 1 << 16):
                room = self.most - len(self.content)
                self.content += chunk[:room]
                self.overflowed |= len(chunk) > room


@contextmanager
def _ended(process: subprocess.Popen) -> Iterator[None]:
    """Ends every process of the sandbox after the block, whatever happens in it."""
    try:
        yield
    finally:
        # When the sandbox's first process ends, the kernel ends all others at once, and bubblewrap ends itself.
        with suppress(psutil.Error):
            for child in psutil.Process(process.pid).children():
                child.kill()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
