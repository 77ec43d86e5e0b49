"""A notebook's kernel that reports the notebook's attempts on its surroundings.

The sandbox contains the notebook whether or not the kernel notices anything. Native code and other programs go unseen,
and a notebook could forge reports. The reports only tell a person what happened.
"""

import json
import os
import re
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from svhn.sandbox.inside import stand_in

_ALLOWED = ("/sandbox/", "/dev/", "/proc/self/")
_SYSTEM = tuple("/tmp/ /usr/ /lib /bin/ /sbin/ /etc/ /proc/ /sys/ /harness/ /digits/ /hand-in/".split())
# The folders of Python, both as named and as resolved: inside, /tmp is a link, and Python may lie there.
_PYTHON = tuple(
    f"{path}/" for folder in (sys.prefix, sys.base_prefix) for path in sorted({folder, os.path.realpath(folder)})
)
_HARNESS = ("/sandbox/run/svhn/", "/harness/")
_STANDARD_LIBRARY = tuple(f"{path(sysconfig.get_paths()['stdlib'])}/" for path in (str, os.path.realpath))
_RUNNERS = ("/IPython/", "/ipykernel/", "/pexpect/", "/ptyprocess/")
# Modules and functions that a pickle of plain values never needs.
_DANGEROUS_MODULES = {"os", "posix", "subprocess", "sys", "socket", "shutil", "importlib", "ctypes", "runpy", "pty"}
_DANGEROUS_BUILTINS = {"eval", "exec", "compile", "__import__", "open", "getattr"}
_MOST_REPORTS = 30

_reported: set[tuple[str, str]] = set()
_channel = -1


def main() -> None:
    """Starts the kernel with the command line's arguments."""
    global _channel
    # The kernel replaces standard error by notebook outputs. A copy still leads out of the sandbox.
    _channel = os.dup(2)
    sys.addaudithook(_notice)
    stand_in.install()
    from ipykernel.kernelapp import launch_new_instance

    # A hand-in of the course's old kind has no parameters cell, so training is off from the start.
    launch_new_instance([*sys.argv[1:], f"--Session.packer={__name__}.pack"], user_ns={"stop_training": True})


def pack(content: Any) -> bytes:
    """Jupyter's message as bytes, even where UTF-8 does not have its text, such as half a pair of surrogates."""
    from jupyter_client.jsonutil import json_clean, json_default
    from jupyter_client.session import json_packer

    try:
        return json_packer(content)
    except UnicodeEncodeError:
        return json.dumps(json_clean(content), default=json_default).encode()


def _notice(event: str, arguments: tuple) -> None:
    handler = _HANDLERS.get(event)
    if handler and len(_reported) < _MOST_REPORTS:
        try:
            handler(*arguments)
        except Exception:  # A report that fails must not change the notebook's course.
            return


def _report(kind: str, what: Any) -> None:
    key = (kind, str(what)[:200])
    if key not in _reported:
        _reported.add(key)
        os.write(_channel, json.dumps({"attempt": kind, "what": key[1]}).encode() + b"\n")


def _path(path: Any) -> str:
    return os.path.abspath(os.fsdecode(path))  # noqa: PTH100 (resolving links would read the path)


def _on_open(path: Any, mode: Any, flags: int) -> None:
    if not isinstance(path, int):
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
            _on_change(path)
        else:
            _on_read(path)


def _on_read(path: Any, *_: Any) -> None:
    if path is None or isinstance(path, int):
        return
    path = _path(path)
    other = re.match(r"/proc/(\d+)/(environ|mem|maps|fd|root|cmdline)", path)
    if other and int(other[1]) != os.getpid() and _by_notebook():
        _report("process", path)
    # Libraries look for many system files that do not exist. The notebook's own code has no reason to.
    elif (
        not path.startswith((*_ALLOWED, *_PYTHON))
        and not os.path.lexists(path)
        and (not path.startswith(_SYSTEM) or _by_notebook())
    ):
        _report("read", path)


def _on_change(path: Any, *_: Any) -> None:
    if path is None or isinstance(path, int):
        return
    path = _path(path)
    if path.endswith(".pyc") or "__pycache__" in path:
        return
    if path.startswith(_HARNESS):
        _report("harness", path)
    # /tmp is the sandbox's own, without the folders of the machine's.
    elif not path.startswith(_ALLOWED) and not (path.startswith("/tmp/") and Path(path).parent.is_dir()):
        _report("write", path)


def _on_rename(source: Any, target: Any, *_: Any) -> None:
    _on_change(source)
    _on_change(target)


def _on_connect(_: Any, address: Any) -> None:
    if isinstance(address, tuple):
        _report("connect", f"{address[0]}:{address[1]}")


def _on_lookup(host: Any, *_: Any) -> None:
    if host and os.fsdecode(host) not in ("localhost", "127.0.0.1", "::1", "sandbox", "0.0.0.0"):
        _report("lookup", os.fsdecode(host))


def _on_kill(process: int, number: int) -> None:
    if number and _by_notebook():
        _report("kill", "its own kernel" if process == os.getpid() else f"process {process}")


def _on_program(program: Any, arguments: Any = None, *_: Any) -> None:
    if _by_notebook():
        words = arguments if isinstance(arguments, (list, tuple)) else [arguments or program]
        _report("run", " ".join(os.fsdecode(word) for word in words))


def _on_shell() -> None:
    if _by_notebook():
        _report("run", "a line of shell commands")


def _on_unpickle(module: str, name: str) -> None:
    if module.split(".")[0] in _DANGEROUS_MODULES or (module == "builtins" and name in _DANGEROUS_BUILTINS):
        _report("unpickle", f"{module}.{name}")


def _by_notebook() -> bool:
    """Whether the call comes from the notebook: the nearest code outside the standard library is its own."""
    frame: FrameType | None = sys._getframe(1)
    while frame:
        name = frame.f_code.co_filename
        is_library = name == __file__ or name.startswith("<frozen") or any(part in name for part in _RUNNERS)
        if not is_library and (not name.startswith(_STANDARD_LIBRARY) or "/site-packages/" in name):
            return not name.startswith((*_PYTHON, "/usr/", "/harness/", "/sandbox/run/svhn/"))
        frame = frame.f_back
    return False


_HANDLERS: dict[str, Callable[..., None]] = {
    "open": _on_open,
    "os.listdir": _on_read,
    "os.scandir": _on_read,
    **dict.fromkeys(("os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.chown", "os.truncate"), _on_change),
    "os.rename": _on_rename,
    "os.symlink": lambda source, target, *_: _on_change(target),
    "os.link": lambda source, target, *_: _on_change(target),
    "socket.connect": _on_connect,
    "socket.getaddrinfo": _on_lookup,
    "os.kill": _on_kill,
    "os.system": _on_program,
    "os.exec": _on_program,
    "os.forkpty": _on_shell,
    "os.posix_spawn": _on_program,
    "subprocess.Popen": _on_program,
    "pickle.find_class": _on_unpickle,
}
