"""Runs a command that nobody trusts: in bubblewrap, without network, on a read-only system, within limits."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

import psutil

from svhn.errors import SVHNError, one_line
from svhn.sandbox import lockdown
from svhn.sandbox.process import raise_if_stopped

HARNESS = Path("/harness")  # Inside: the folder that holds this package, read-only.
PRIVATE = Path("/sandbox")  # Inside: the one folder that can be written to; /tmp and the home lie in it.
WORK = PRIVATE / "run"  # Inside: where the command starts.
_SHARED_MEMORY = 1 << 26
_POLL_SECONDS = 0.1
_END_SECONDS = 5
_MOST_ERRORS = 1 << 18
_MACHINE_RESERVE = 1 << 28  # A machine with fewer free bytes than this is about to kill processes on its own.
_MOST_FILES = 200_000
# What a command was stopped for that may not be its own doing.
SHORT_OF_MEMORY = "was running when this machine ran short of memory, perhaps for another reason"
_REMEDY = (
    "install bubblewrap 0.8 or newer and libseccomp (Debian, Ubuntu: apt install bubblewrap libseccomp2) and allow "
    "user namespaces (sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns=0)"
)


@dataclass(frozen=True)
class Limits:
    """What a confined command may use, all its processes together.

    Attributes:
        seconds: By the clock on the wall.
        cpu_seconds: Of processor time.
        memory: Bytes in its processes' memory.
        tasks: Processes and threads at one time.
        disk: Bytes in all that it writes. They live in memory and are gone when it ends.
        output: Bytes that it may hand out.
    """

    seconds: int = 1800
    cpu_seconds: int = 7200
    memory: int = 6 << 30
    tasks: int = 1024
    disk: int = 1 << 30
    output: int = 16 << 20


@dataclass(frozen=True)
class Confined:
    """What came of a confined command.

    Attributes:
        status: Its exit status, negative for a signal.
        stopped: Which limit it was stopped at, as the end of a sentence that starts with "it"; None where it ended
            by itself.
        seconds: How long it ran.
        output: What it wrote to standard output, at most the limit's bytes.
        errors: The beginning of what it wrote to standard error.
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

    Inside there is no network but a loopback of its own; of the machine's files there are /usr, this Python with its
    packages, this package under HARNESS, and `readable`, all read-only. Nothing that is written outlives the
    command: only its standard output and error come out, and they are untrusted.

    Args:
        command: Program, an absolute path inside, and arguments.
        readable: Files and folders that can be read, as {path inside: path outside}.
        environment: The variables that the command sees beside PATH, HOME, TMPDIR, USER and LANG.
        limits: What it may use, None for the defaults.

    Raises:
        SVHNError: There is no working sandbox.
        KeyboardInterrupt: The block of `svhn.sandbox.process.stoppable` around it was interrupted.
    """
    if not shutil.which("bwrap"):
        raise SVHNError(f"hand-ins are executed in a sandbox only, and bubblewrap is not installed; {_REMEDY}")
    limits = limits or Limits()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="svhn-sandbox-") as folder:
        arguments = [*_confinement(readable or {}, environment or {}, limits, Path(folder)), *map(str, command)]
        # The first process inside is a copy of bubblewrap: /proc/1/environ would show it all that bubblewrap was given.
        # In a session of its own, or Ctrl-C would end what is inside, and look like the doing of who is graded.
        process = subprocess.Popen(
            arguments,
            env={},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        with _ended(process):
            output, errors = _Pipe(process.stdout, limits.output), _Pipe(process.stderr, _MOST_ERRORS)
            stopped = _watch(process, limits, started, output)
        told, errors = output.read(), errors.read()
    if process.returncode == lockdown.FAILED and not stopped:
        raise SVHNError(f"the sandbox does not work here ({one_line(errors.decode(errors='replace'))}); {_REMEDY}")
    return Confined(process.returncode, stopped, time.monotonic() - started, told, errors)


@cache
def sandbox_problem() -> str | None:
    """Why hand-ins cannot be executed on this machine, with the remedy, or None: tried out once, with a command."""
    try:
        tried = run_confined([inside_python(), "-I", "-S", "-c", ""], limits=Limits(seconds=30))
    except SVHNError as error:
        return str(error)
    if tried.status:
        reason = one_line(tried.errors.decode(errors="replace"))
        return f"the sandbox does not work here ({reason}); {_REMEDY}"
    return None


def inside_python() -> Path:
    """The path inside of the Python that runs here; its environment keeps its real place."""
    return Path(sys.prefix).resolve() / "bin" / Path(sys.executable).name


def _confinement(
    readable: Mapping[Path, Path], environment: Mapping[str, str], limits: Limits, folder: Path
) -> list[str]:
    """The command line up to where the confined command's own begins."""
    arguments = [shutil.which("bwrap"), "--die-with-parent", "--new-session", "--clearenv", "--hostname", "sandbox"]
    arguments += [f"--unshare-{kind}" for kind in ("pid", "net", "ipc", "uts", "cgroup")]
    if os.getuid() == 0:
        # Its files are opened as root, and then svhn.sandbox.lockdown stops being root.
        arguments += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        user = str(lockdown.SANDBOX_USER)
        arguments += ["--unshare-user", "--disable-userns", "--uid", user, "--gid", user]
    arguments += ["--ro-bind", "/usr", "/usr", "--perms", "0755", "--dir", "/etc", "--proc", "/proc", "--dev", "/dev"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/", name)
        if path.is_symlink():
            arguments += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            arguments += ["--ro-bind", str(path), str(path)]
    for name in ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "alternatives", "fonts"):
        arguments += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    arguments += ["--perms", "1777", "--size", str(limits.disk), "--tmpfs", str(PRIVATE)]
    arguments += ["--perms", "1777", "--size", str(_SHARED_MEMORY), "--tmpfs", "/dev/shm"]
    for name in ("run", "home", "tmp"):
        arguments += ["--perms", "0777", "--dir", str(PRIVATE / name)]
    # Relative, or bubblewrap could not follow it to a Python that lies in /tmp.
    arguments += ["--symlink", str(PRIVATE / "tmp").lstrip("/"), "/tmp"]
    mounts = {**_system_files(folder), **_python(), **_harness(), **readable}
    # bubblewrap itself would make the folders above a mount its user's own.
    for parent in sorted({parent for inside in mounts for parent in inside.parents[:-1]} - {PRIVATE}):
        arguments += ["--perms", "0777" if parent.is_relative_to(PRIVATE) else "0755", "--dir", str(parent)]
    for inside, outside in mounts.items():
        arguments += ["--ro-bind", str(outside), str(inside)]
    arguments += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", str(WORK)]
    programs = f"{inside_python().parent}:/usr/bin:/bin"
    own = {"PATH": programs, "HOME": PRIVATE / "home", "TMPDIR": PRIVATE / "tmp", "USER": "student", "LANG": "C.UTF-8"}
    for name, value in {**own, **environment}.items():
        arguments += ["--setenv", name, str(value)]
    script = HARNESS / "svhn" / "sandbox" / Path(lockdown.__file__).name
    return [*arguments, "--", str(inside_python()), "-I", "-S", str(script), json.dumps(asdict(limits))]


def _system_files(folder: Path) -> dict[Path, Path]:
    """What programs miss beside /usr, telling nothing about this machine but its processors."""
    user = lockdown.SANDBOX_USER
    contents = {
        "passwd": f"student:x:{user}:{user}::{PRIVATE / 'home'}:/bin/sh\n",
        "group": f"student:x:{user}:\n",
        "hosts": "127.0.0.1 localhost sandbox\n",
    }
    for name, content in contents.items():
        (folder / name).write_text(content, encoding="utf-8")
        (folder / name).chmod(0o644)
    processors = Path("/sys/devices/system/cpu")
    return {Path("/etc", name): folder / name for name in contents} | {
        path: path for path in (processors,) if path.is_dir()
    }


def _python() -> dict[Path, Path]:
    """The folders of this Python and its packages, but those in /usr."""
    folders = {Path(folder).resolve() for folder in (sys.base_prefix, sys.base_exec_prefix, sys.prefix)}
    return {folder: folder for folder in sorted(folders) if not folder.is_relative_to("/usr")}


def _harness() -> dict[Path, Path]:
    """The package itself, where it can be imported and where a hand-in would have its own copy."""
    package = Path(__file__).resolve().parents[1]
    return {HARNESS / "svhn": package, WORK / "svhn": package}


class _Pipe:
    """Reads a pipe to its end in a thread, and keeps its first bytes."""

    def __init__(self, stream: BinaryIO, most: int) -> None:
        self.content, self.most, self.overflowed = bytearray(), most, False
        self.thread = threading.Thread(target=self._fill, args=(stream,), daemon=True)
        self.thread.start()

    def read(self) -> bytes:
        """What was kept, once the other end is closed."""
        self.thread.join()
        return bytes(self.content)

    def _fill(self, stream: BinaryIO) -> None:
        with stream:
            while chunk := stream.read1(1 << 16):
                room = self.most - len(self.content)
                self.content += chunk[:room]
                self.overflowed |= len(chunk) > room


@contextmanager
def _ended(process: subprocess.Popen) -> Iterator[None]:
    """Sees to it that no process of the sandbox is left, whatever happens."""
    try:
        yield
    finally:
        # Without its first process, the kernel ends all others of the sandbox at once, and bubblewrap ends itself.
        with suppress(psutil.Error):
            for child in psutil.Process(process.pid).children():
                child.kill()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _watch(process: subprocess.Popen, limits: Limits, started: float, output: _Pipe) -> str | None:
    """Waits for the end of the sandbox; returns early with the limit that it passed."""
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_SECONDS)
            return None
        raise_if_stopped()
        if time.monotonic() - started > limits.seconds:
            return f"ran longer than the {limits.seconds:,} seconds allowed"
        if output.overflowed:
            return f"handed out more than the {_size(limits.output)} allowed"
        if passed := _passed(process.pid, limits):
            return passed


def _passed(pid: int, limits: Limits) -> str | None:
    """The limit that the processes under `pid` have passed by now."""
    with suppress(psutil.NoSuchProcess):
        inside = psutil.Process(pid).children(recursive=True)
        resident, cpu_seconds, tasks = 0, 0.0, 0
        # A fork bomb leaves little time for looking at each.
        for process in inside if len(inside) < limits.tasks else ():
            with suppress(psutil.Error):
                resident += process.memory_info().rss
                # Children's time is included when they are gone, so that a row of short processes counts, too.
                cpu_seconds += sum(process.cpu_times()[:4])
                tasks += process.num_threads()
        # Resident memory counts shared pages once a process; the true share is slow to learn, and rarely needed.
        if resident > limits.memory and _proportional(inside) > limits.memory:
            return f"used more than the {_size(limits.memory)} of memory allowed"
        if max(tasks, len(inside)) >= limits.tasks:
            return f"started more than the {limits.tasks:,} processes and threads allowed"
        if cpu_seconds > limits.cpu_seconds:
            return f"used more than the {limits.cpu_seconds:,} seconds of processor time allowed"
        if inside and (passed := _passed_on_disk(inside[0].pid, limits)):
            return passed
    if psutil.virtual_memory().available < _MACHINE_RESERVE:
        return SHORT_OF_MEMORY
    return None


def _proportional(processes: Sequence[psutil.Process]) -> int:
    total = 0
    for process in processes:
        with suppress(psutil.Error):
            total += process.memory_full_info().pss
    return total


def _passed_on_disk(pid: int, limits: Limits) -> str | None:
    """Whether the private folder is full, seen through a process that lives in it."""
    with suppress(OSError):
        state = os.statvfs(f"/proc/{pid}/root{PRIVATE}")
        # Until bubblewrap has changed the root, this is another file system.
        if state.f_blocks * state.f_frsize <= limits.disk:
            if state.f_bfree * 100 < state.f_blocks:
                return f"filled the disk of {_size(limits.disk)}"
            if state.f_files - state.f_ffree > _MOST_FILES:
                return f"wrote more than {_MOST_FILES:,} files"
    return None


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
