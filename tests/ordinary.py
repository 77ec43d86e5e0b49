"""Runs Python as an ordinary user of this machine, where root runs the tests."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

NOBODY = 65534


def run_as_nobody(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a program's text as the user nobody, with this Python and the project within reach."""
    become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    command = shlex.join([*become, sys.executable, "-c", program, *arguments])
    return subprocess.run(
        ["unshare", "--mount", "sh", "-ec", f"{_open_up()}cd {shlex.quote(str(ROOT))}\nexec {command}"],
        capture_output=True,
        text=True,
        timeout=900,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )


def _open_up() -> str:
    """Shell lines that show the needed folders, and nothing else, of those that only root may pass through.

    They change a mount namespace that is the program's own; the machine's folders stay as they are.
    """
    hidden: dict[Path, set[Path]] = {}
    for path in {Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve(), ROOT}:
        closed = next((parent for parent in [*path.parents][::-1] if not parent.stat().st_mode & 1), None)
        if closed:
            hidden.setdefault(closed, set()).add(path)
    lines = ""
    for closed, paths in hidden.items():
        lines += "d=$(mktemp -d)\nmount -t tmpfs tmpfs $d\n"
        for number, path in enumerate(sorted(paths)):
            lines += f"mkdir $d/{number}\nmount --bind {shlex.quote(str(path))} $d/{number}\n"
        lines += f"mount -t tmpfs -o mode=755 tmpfs {shlex.quote(str(closed))}\n"
        for number, path in enumerate(sorted(paths)):
            lines += f"mkdir -p {shlex.quote(str(path))}\nmount --bind $d/{number} {shlex.quote(str(path))}\n"
        lines += "umount -R $d\nrmdir $d\n"
    return lines
