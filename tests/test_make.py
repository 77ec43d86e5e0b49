"""The Makefile's own environment: made once, kept while it is this folder's and runs, made anew otherwise."""

import os
import shutil
import subprocess

import pytest
from conftest import ROOT

ANEW = "rm -rf .venv"


def make(folder, *arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    process = subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project with nothing to install, in a folder with a space in its name, after its first `make`."""
    folder = tmp_path_factory.mktemp("make") / "my project"
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    (folder / "requirements.txt").write_text("# nothing\n")
    assert ANEW in make(folder, ".venv/installed")
    return folder


@pytest.fixture
def another(made, tmp_path):
    """A copy of it, environment and all."""
    return shutil.copytree(made, tmp_path / "copy", symlinks=True)


def test_what_is_installed_is_not_installed_again(made):
    assert "up to date" in make(made, ".venv/installed")
    assert "pip" not in make(made, "-n", "run")


def test_other_requirements_are_installed_into_the_same_environment(made):
    os.utime(made / ".venv/installed", (0, 0))
    said = make(made, "-n", "run")
    assert "python -m pip install" in said and ANEW not in said
    (made / ".venv/installed").touch()


def test_an_environment_stays_for_its_own_python_and_is_made_anew_for_another(made):
    assert ANEW not in make(made, "-n", "run", "PYTHON=python3")
    assert ANEW in make(made, "-n", "run", "PYTHON=python9.9")


def test_a_copy_gets_an_environment_of_its_own(made, another):
    assert ANEW in make(another, "-n", "run")
    shutil.rmtree(another / ".venv")
    (another / ".venv").symlink_to(made / ".venv")
    (another / "Makefile").write_text((another / "Makefile").read_text().replace("$(PYTHON) -m venv", "echo no venv"))
    subprocess.run(["make", ".venv/installed"], cwd=another, capture_output=True)
    assert not (another / ".venv").is_symlink() and (made / ".venv/bin/python").exists()


def test_an_environment_that_does_not_run_is_made_anew(made):
    python = made / ".venv/bin/python"
    python.rename(python.with_name("away"))
    try:
        assert ANEW in make(made, "-n", "run")
    finally:
        python.with_name("away").rename(python)
    assert ANEW not in make(made, "-n", "run")
