"""The project's metadata: its requirements and its command; and in CI no test passes that was only skipped."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
from conftest import ROOT, require
from packaging.markers import default_environment
from packaging.requirements import Requirement

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAME = re.compile(r"[\w.-]+")


def pinned(file):
    """The names in a file of requirements, each of which must have its one version."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w-]+==[\w.]+", line) for line in wanted)
    return {NAME.match(line)[0] for line in wanted}


def declared(*groups):
    return {NAME.match(name)[0] for group in groups for name in PROJECT["optional-dependencies"][group]}


def test_what_is_declared_is_pinned():
    assert pinned("requirements.txt") == declared("run", "course")
    assert pinned("requirements-dev.txt") == declared("grade", "cluster", "dev")


def test_the_lock_holds_every_pin_and_one_version_of_each_package_for_any_python():
    locked = [line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    parsed = [Requirement(line) for line in locked]
    for version in ("3.11.7", "3.12.1", "3.13.0"):
        place = default_environment() | {"python_full_version": version, "python_version": version[:4]}
        here = [one for one in parsed if one.marker is None or one.marker.evaluate(place)]
        versions = {one.name: str(one.specifier) for one in here}
        assert len(here) == len(versions) and all(one.startswith("==") for one in versions.values())
        for file in ("requirements.txt", "requirements-dev.txt"):
            lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
            pins = [Requirement(line) for line in lines if line and line[0] != "#"]
            assert {one.name: str(one.specifier) for one in pins}.items() <= versions.items()


def test_what_the_package_imports_is_declared():
    groups = declared("run", "course", "grade", "cluster", "dev")
    known = packages_distributions()
    for path in (ROOT / "svhn").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            named += [node.module] if isinstance(node, ast.ImportFrom) else []
            for name in {name.split(".")[0] for name in named} - sys.stdlib_module_names - {"svhn", "answers"}:
                assert {one.lower().replace("_", "-") for one in known[name]} & groups, f"{path} imports {name}"


def test_the_command_s_exit_status_is_that_of_main(tmp_path):
    module, function = PROJECT["scripts"]["svhn"].split(":")
    assert callable(getattr(importlib.import_module(module), function))
    # An installed command runs this program.
    program = f"import sys; from {module} import {function}; sys.exit({function}())"
    process = subprocess.run(
        [sys.executable, "-c", program, "grade", tmp_path / "nowhere"], cwd=ROOT, capture_output=True, text=True
    )
    assert process.returncode == 2 and "no such hand-in" in process.stderr


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail), ("1", pytest.fail), ("", pytest.skip)])
def test_what_cannot_run_is_skipped_here_and_fails_in_ci(monkeypatch, ci, outcome):
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome.Exception, match="no such tool"):
        require(False, "no such tool")
    require(True, "no such tool")


def test_what_was_given_is_named_in_one_place():
    # Put together, or this very file would name it.
    place = re.compile("|".join((r"\.\./sha" + "red", r"[\"']sha" + "red[\"']", "SVHN_" + "SHARED")))
    files = [path for room in ("svhn", "tests", "benchmarks", "fitting") for path in (ROOT / room).rglob("*.py")]
    files = [path for path in files if "handins" not in path.parts]
    assert [path.name for path in files if place.search(path.read_text(encoding="utf-8"))] == ["given.py"]
