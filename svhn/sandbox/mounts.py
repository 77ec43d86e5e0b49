"""Bubblewrap's arguments for the rights and the files of a sandbox."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from svhn.sandbox.lockdown import SANDBOX_USER

# Paths inside: the folder with this package, read-only; the one writable folder, with /tmp and the home in it; and the
# folder in which the command starts.
HARNESS = Path("/harness")
PRIVATE = Path("/sandbox")
WORK = PRIVATE / "run"
_SHARED_MEMORY = 1 << 26
_SYSTEM_FILES = {
    "passwd": f"student:x:{SANDBOX_USER}:{SANDBOX_USER}::{PRIVATE / 'home'}:/bin/sh\n",
    "group": f"student:x:{SANDBOX_USER}:\n",
    "hosts": "127.0.0.1 localhost sandbox\n",
}


def inside_python() -> Path:
    """The path of this Python inside the sandbox, where its environment has its real path."""
    return Path(sys.prefix).resolve() / "bin" / Path(sys.executable).name


def harness() -> dict[Path, Path]:
    """The package as {path inside: path outside}, for imports and in place of a hand-in's own copy."""
    package = Path(__file__).resolve().parents[1]
    return {HARNESS / "svhn": package, WORK / "svhn": package}


@contextmanager
def confinement(
    readable: Mapping[Path, Path], environment: Mapping[str, str], disk: int
) -> Iterator[tuple[list[str], list[int]]]:
    """Gives bubblewrap's command line, up to the confined command's own.

    Args:
        readable: Readable files and folders, as {path inside: path outside}.
        environment: The command's variables beside PATH, HOME, TMPDIR, USER and LANG.
        disk: The number of bytes that may be written.

    Yields:
        The command line, and the open files that bubblewrap must inherit.
    """
    contents = {name: _open_content(content) for name, content in _SYSTEM_FILES.items()}
    try:
        arguments = [shutil.which("bwrap") or "bwrap", *_rights(), *_folders(disk)]
        for name, handle in contents.items():
            # An open file leaves nothing behind in a folder of the machine's.
            arguments += ["--perms", "0444", "--ro-bind-data", str(handle), f"/etc/{name}"]
        arguments += _bindings({**_python(), **harness(), **_processors(), **readable})
        arguments += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", str(WORK)]
        programs = f"{inside_python().parent}:/usr/bin:/bin"
        own = {"PATH": programs, "HOME": PRIVATE / "home", "TMPDIR": PRIVATE / "tmp", "USER": "student"}
        for name, value in {**own, "LANG": "C.UTF-8", **environment}.items():
            arguments += ["--setenv", name, str(value)]
        yield arguments, list(contents.values())
    finally:
        for handle in contents.values():
            os.close(handle)


def _open_content(content: str) -> int:
    """An open file without a name, from which bubblewrap reads the content."""
    read, write = os.pipe()
    with os.fdopen(write, "w", encoding="utf-8") as file:
        file.write(content)
    return read


def _rights() -> list[str]:
    # The command's starter is process 1 itself: the command could reach a process of bubblewrap's there.
    arguments = ["--die-with-parent", "--as-pid-1", "--new-session", "--clearenv", "--hostname", "sandbox"]
    arguments += [f"--unshare-{kind}" for kind in ("pid", "net", "ipc", "uts", "cgroup")]
    if os.getuid() == 0:
        # Files are opened as root. Then svhn.sandbox.lockdown gives up root.
        return [*arguments, "--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    user = str(SANDBOX_USER)
    return [*arguments, "--unshare-user", "--disable-userns", "--uid", user, "--gid", user]


def _folders(disk: int) -> list[str]:
    """The system's own files, and the writable folder."""
    arguments = ["--ro-bind", "/usr", "/usr", "--perms", "0755", "--dir", "/etc", "--proc", "/proc"]
    # /dev/zero could be mapped, so /dev/null covers it.
    arguments += ["--dev", "/dev", "--dev-bind", "/dev/null", "/dev/zero"]
    arguments += ["--perms", "1777", "--size", str(_SHARED_MEMORY), "--tmpfs", "/dev/shm"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/", name)
        if path.is_symlink():
            arguments += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            arguments += ["--ro-bind", str(path), str(path)]
    for name in ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "alternatives", "fonts"):
        arguments += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    arguments += ["--perms", "1777", "--size", str(disk), "--tmpfs", str(PRIVATE)]
    for name in ("run", "home", "tmp"):
        arguments += ["--perms", "0777", "--dir", str(PRIVATE / name)]
    # The link is relative, or bubblewrap could not follow it to a Python in /tmp.
    return [*arguments, "--symlink", str(PRIVATE / "tmp").lstrip("/"), "/tmp"]


def _bindings(mounts: Mapping[Path, Path]) -> list[str]:
    arguments = []
    # Folders above a mount that bubblewrap makes itself would belong to its user.
    for parent in sorted({parent for inside in mounts for parent in inside.parents[:-1]} - {PRIVATE}):
        arguments += ["--perms", "0777" if parent.is_relative_to(PRIVATE) else "0755", "--dir", str(parent)]
    for inside, outside in mounts.items():
        arguments += ["--ro-bind", str(outside), str(inside)]
    return arguments


def _processors() -> dict[Path, Path]:
    """The folder in which libraries find the number of threads to start; it tells nothing else about this machine."""
    path = Path("/sys/devices/system/cpu")
    return {path: path} if path.is_dir() else {}


def _python() -> dict[Path, Path]:
    """The folders of this Python and its packages outside /usr."""
    folders = {Path(folder).resolve() for folder in (sys.base_prefix, sys.base_exec_prefix, sys.prefix)}
    return {folder: folder for folder in sorted(folders) if not folder.is_relative_to("/usr")}
