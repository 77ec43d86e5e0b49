"""Watches a sandbox from outside, ten times a second, and names the limit that it has passed."""

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

from svhn.sandbox.mounts import PRIVATE
from svhn.sandbox.process import raise_if_stopped

# The reason for a stop that the command itself may not have caused.
SHORT_OF_MEMORY = "was running when this machine ran short of memory, perhaps for another reason"
MOST_FILES = 200_000
_POLL_SECONDS = 0.1
_MACHINE_RESERVE = 1 << 28  # A machine with fewer free bytes than this is about to kill processes on its own.
_KILOBYTES = ("VmRSS", "VmSwap", "VmPTE")  # Resident, swapped out, and the tables that say where pages lie.
_CORE, _TCP = Path("/proc/sys/net/core"), Path("/proc/sys/net/ipv4")


@dataclass(frozen=True)
class Limits:
    """The limits of a confined command, for all its processes together.

    Attributes:
        seconds: Wall-clock time.
        cpu_seconds: Processor time.
        memory: Bytes of its processes' memory, of the tables of their pages and of the buffers of their sockets.
        tasks: The number of processes and threads at one time.
        disk: Bytes of all written files. They lie in memory and are gone when the command ends.
        output: Bytes of standard output.
        files: The number of written files.
    """

    seconds: int = 1800
    cpu_seconds: int = 7200
    memory: int = 6 << 30
    tasks: int = 1024
    disk: int = 1 << 30
    output: int = 16 << 20
    files: int = MOST_FILES


def watch(process: subprocess.Popen, limits: Limits, started: float, has_overflowed: Callable[[], bool]) -> str | None:
    """Waits for the end of a sandbox, or until it passes a limit.

    It needs no control group, and hence no root. `svhn.sandbox.lockdown` refuses memory that cannot be counted from
    outside: files without a name, and shared pages that are in no process's resident memory. Sockets count with the
    full size of their buffers.

    Args:
        process: The process of bubblewrap.
        limits: The limits of all its processes together.
        started: The time of its start by the monotonic clock.
        has_overflowed: Tells whether it has put out too much.

    Returns:
        The limit that it has passed, as the end of a sentence that starts with "it"; None where it ended by itself.

    Raises:
        KeyboardInterrupt: The block of `svhn.sandbox.process.stoppable` around it was interrupted.
    """
    clock = _ProcessorClock()
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_SECONDS)
            return None
        raise_if_stopped()
        if time.monotonic() - started > limits.seconds:
            return f"ran longer than the {limits.seconds:,} seconds allowed"
        if has_overflowed():
            return f"handed out more than the {_size(limits.output)} allowed"
        with suppress(psutil.NoSuchProcess):
            inside = psutil.Process(process.pid).children(recursive=True)
            if passed := _passed(inside, limits) or (inside and _passed_on_disk(inside[0].pid, limits)):
                return passed
            if clock.read(inside) > limits.cpu_seconds:
                return f"used more than the {limits.cpu_seconds:,} seconds of processor time allowed"
        if psutil.virtual_memory().available < _MACHINE_RESERVE:
            return SHORT_OF_MEMORY


def _passed(inside: Sequence[psutil.Process], limits: Limits) -> str | None:
    """The limit that processes have passed by now, or None."""
    memory = tasks = 0
    # A fork bomb leaves no time to look at each process.
    for process in inside if len(inside) < limits.tasks else ():
        with suppress(psutil.Error):
            tasks += process.num_threads()
            memory += sum(_memory(process.pid).values())
    if inside:
        sockets = _socket_buffers(inside[0].pid)
        # Resident memory counts shared pages once a process. The exact share takes long, and is rarely needed.
        if memory + sockets > limits.memory and sum(map(_own_memory, inside)) + sockets > limits.memory:
            return f"used more than the {_size(limits.memory)} of memory allowed"
    if max(tasks, len(inside)) >= limits.tasks:
        return f"started more than the {limits.tasks:,} processes and threads allowed"
    return None


class _ProcessorClock:
    """Adds up processor time, with that of processes whose parent ignored their end, which the kernel forgets."""

    def __init__(self) -> None:
        self.seconds, self.known, self.seen, self.looked = 0.0, 0.0, set[int](), time.monotonic()

    def read(self, inside: Sequence[psutil.Process]) -> float:
        """The seconds that these processes, and those before them, have used by now."""
        known, now = 0.0, time.monotonic()
        for process in inside:
            with suppress(psutil.Error):
                # A parent's time includes that of the children that it has waited for.
                known += sum(process.cpu_times()[:4])
        seen = {process.pid for process in inside}
        # A process that is gone may have run until now, without a parent that waited for it.
        gone = min(len(self.seen - seen), os.cpu_count() or 1) * (now - self.looked)
        self.seconds += max(known - self.known, gone, 0)
        self.known, self.seen, self.looked = known, seen, now
        return self.seconds


def _memory(process: int) -> dict[str, int]:
    """A process's memory in bytes by kind; empty where the process is gone."""
    with suppress(OSError):
        lines = Path(f"/proc/{process}/status").read_text(errors="replace").splitlines()
        pairs = (line.split(":", 1) for line in lines if line.startswith(_KILOBYTES))
        return {name: int(value.split()[0]) << 10 for name, value in pairs}
    return {}


def _own_memory(process: psutil.Process) -> int:
    """A process's memory, with shared pages divided among their processes where that can be seen."""
    kinds = _memory(process.pid)
    with suppress(psutil.Error, OSError):
        kinds["VmRSS"] = process.memory_full_info().pss
    return sum(kinds.values())


def _socket_buffers(process: int) -> int:
    """The most bytes that the sockets of a process's network may hold.

    A socket on its way from one process to another belongs to neither, but still to the network.
    """
    sizes = _buffer_sizes()
    most = 0
    for name in ("unix", "udp", "udp6", "tcp", "tcp6"):
        with suppress(OSError, IndexError):
            for line in Path(f"/proc/{process}/net/{name}").read_text(errors="replace").splitlines()[1:]:
                # An idle TCP socket holds nothing. One with anything queued may be full, in the smallest pieces.
                is_busy = name.startswith("tcp") and line.split()[4].strip("0:")
                most += sizes["tcp"] if is_busy else sizes["other"]
    return most


@cache
def _buffer_sizes() -> dict[str, int]:
    """The sizes of buffers in bytes, by kind of socket. Programs inside cannot change them."""
    core = sum(int((_CORE / name).read_text()) for name in ("rmem_default", "wmem_default"))
    tcp = sum(int((_TCP / name).read_text().split()[2]) for name in ("tcp_rmem", "tcp_wmem"))
    return {"other": core, "tcp": tcp}


def _passed_on_disk(pid: int, limits: Limits) -> str | None:
    """The limit that the private folder has passed, seen through a process in the sandbox, or None."""
    with suppress(OSError):
        state = os.statvfs(f"/proc/{pid}/root{PRIVATE}")
        # Until bubblewrap has changed the root, this is another file system.
        if state.f_blocks * state.f_frsize <= limits.disk:
            if state.f_bfree * 100 < state.f_blocks:
                return f"filled the disk of {_size(limits.disk)}"
            if state.f_files - state.f_ffree > limits.files:
                return f"wrote more than {limits.files:,} files"
    return None


def _size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
