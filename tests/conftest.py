"""The parts that several tests share: drawn digits, the notebook's definitions, and commands run as by a person."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from given import REAL_DIGITS

ROOT = Path(__file__).parents[1]
os.environ.setdefault("MPLBACKEND", "agg")
# Tests choose their own; what whoever runs them has set for trainings is not theirs.
SETTINGS = ("SVHN_DATA", "SVHN_EXTEND", "SVHN_IMAGENET", "SVHN_LENGTH", "SVHN_FORCE", "SVHN_PRECISION", "SVHN_DEVICES")
for variable in (*SETTINGS, "NBGRADER_EXECUTION"):
    os.environ.pop(variable, None)


def require(there, reason):
    """Skips a test here and now where a tool or a file that it needs is missing, and fails it where CI is set."""
    if not there:
        (pytest.fail if os.environ.get("CI", "").lower() not in ("", "0", "false") else pytest.skip)(reason)


@pytest.fixture(scope="session")
def real_digits():
    """The path of the given real digits."""
    require(REAL_DIGITS.is_file(), f"{REAL_DIGITS} is not there: it is no part of the project")
    return REAL_DIGITS


@pytest.fixture(scope="session")
def drawn():
    from svhn.drawn.drawing import draw

    return draw(500, seed=7)


@pytest.fixture(scope="session")
def definitions():
    from svhn.notebook.cells import load_definitions

    return load_definitions(ROOT / "Assignment3.ipynb")


@pytest.fixture
def command():
    """Runs `python -m svhn ...` in the project's folder and returns the finished process."""

    def run(*arguments, cwd=ROOT, **environment):
        return subprocess.run(
            [sys.executable, "-m", "svhn", *map(str, arguments)],
            cwd=cwd,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=600,
        )

    return run


def assert_one_clear_line(process, *words):
    """Status 2, neither a traceback nor the backend's news, and a line from `svhn:` that holds the words."""
    assert process.returncode == 2, process.stderr
    assert "Traceback" not in process.stderr and "oneDNN" not in process.stderr
    lines = [line for line in process.stderr.splitlines() if line.startswith("svhn: ")]
    assert len(lines) == 1, process.stderr
    for word in words:
        assert word in lines[0]
