"""Hand-ins are opened and run wherever TMPDIR points: at a long and odd name, at no folder, or at a full disk."""

import json
import os
import shlex
import subprocess
import sys

import nbformat
import pytest
from conftest import ROOT, require
from nbformat.v4 import new_code_cell, new_notebook

from svhn.sandbox.bubblewrap import sandbox_problem

# The backend is the one that is soonest there: nothing here computes.
PYTHON = {"PYTHONPATH": str(ROOT), "KERAS_BACKEND": "numpy"}
ISOLATED = """
import os
from svhn.sandbox.process import Limits, run_isolated
if __name__ == "__main__":
    print("result", run_isolated(os.getppid, limits=Limits())["result"] > 0)
"""
EXECUTE = """
import json, sys, tempfile
from pathlib import Path
from svhn.grading.rerun import execute_hand_in
if __name__ == "__main__":
    print(tempfile.gettempdir(), file=sys.stderr)
    print(json.dumps(vars(execute_hand_in(Path(sys.argv[1]), Path(sys.argv[2]), source=sys.argv[3]))))
"""


def run(program, folder, *arguments, before=""):
    """Runs a program after some lines of shell, with `folder` for temporary files."""
    environment = os.environb | {name.encode(): value.encode() for name, value in PYTHON.items()}
    python = shlex.join([sys.executable, "-c", program, *map(str, arguments)])
    command = ["unshare", "--mount"] if before else []
    return subprocess.run(
        [*command, "sh", "-ec", f"{before}\n{python}"],
        cwd=ROOT,
        env=environment | {b"TMPDIR": os.fsencode(folder)},
        capture_output=True,
        timeout=300,
    )


def test_a_hand_in_runs_where_the_temporary_folder_has_a_long_and_odd_name(tmp_path):
    require(not sandbox_problem(), sandbox_problem())
    odd = b"a b\n'\"$(x)\\\xff;%s{}"
    folder = tmp_path / os.fsdecode(odd + b"x" * (150 - len(odd)))
    folder.mkdir()
    (tmp_path / "ann").mkdir()
    (tmp_path / "digits.npz").touch()
    nbformat.write(new_notebook(cells=[new_code_cell("print(6 * 7)")]), tmp_path / "ann/a.ipynb")
    done = run(EXECUTE, folder, tmp_path / "ann", tmp_path / "out", tmp_path / "digits.npz")
    assert done.returncode == 0 and odd[-5:] in done.stderr, done.stderr
    result = json.loads(done.stdout)
    assert result["ran"] and result["findings"] == []
    assert nbformat.read(tmp_path / "out/executed.ipynb", as_version=4).cells[0].outputs[0].text == "42\n"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("kind", ["a file", "full"])
def test_another_folder_serves_where_the_temporary_one_takes_nothing(tmp_path, kind):
    folder, before = tmp_path / "place", ""
    if kind == "a file":
        folder.touch()
    else:
        require(os.getuid() == 0, "only root can mount a small disk")
        folder.mkdir()
        before = f"mount -t tmpfs -o size=8k tmpfs {folder}\ncat /dev/zero > {folder}/filler 2> /dev/null || true"
    done = run(ISOLATED, folder, before=before)
    assert done.stdout == b"result True\n", (done.stdout, done.stderr)
