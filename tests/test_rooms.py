"""The package's rooms: each says what it is for, is small, and needs no room above its own."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "svhn"
# From the ground up. Below them all is what lies in no room; the doors may open any room.
ROOMS = ("drawn", "data", "learning", "rubric", "notebook", "sandbox", "grading", "course")
DOORS = ("__init__.py", "__main__.py")
MOST_MODULES = 13


def floor(path):
    """The number of a module's room, from 1; 0 where it lies in none."""
    room = path.relative_to(PACKAGE).parts[0]
    return ROOMS.index(room) + 1 if room in ROOMS else 0


def rooms_named(path):
    """The rooms that a module imports, in functions too, or names in a string, as code that another process runs."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        texts = [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []
        if isinstance(node, ast.Import):
            texts = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import hides which room it is from"
            texts = [f"{node.module}.{alias.name}" for alias in node.names]
        for text in texts:
            yield from (room for room in re.findall(r"\bsvhn\.(\w+)", text) if room in ROOMS)


def test_every_folder_of_code_is_a_room():
    assert {path.parent.name for path in PACKAGE.glob("*/*.py")} == set(ROOMS)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_needs_a_room_above_its_own(path):
    if path.parent != PACKAGE or path.name not in DOORS:
        assert [room for room in rooms_named(path) if ROOMS.index(room) + 1 > floor(path)] == []


@pytest.mark.parametrize("folder", sorted(path.parent for path in PACKAGE.rglob("__init__.py")), ids=lambda f: f.name)
def test_a_room_is_small_and_says_what_comes_in_and_what_goes_out(folder):
    doc = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    assert doc and (folder == PACKAGE or ("\nIn: " in doc and "\nOut: " in doc))
    assert len([path for path in folder.glob("*.py") if path.name not in DOORS]) <= MOST_MODULES


def test_the_stubs_import_what_there_is():
    tree = ast.parse((PACKAGE / "course/stubs.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("svhn."):
            module = ast.parse((PACKAGE.parent / f"{node.module.replace('.', '/')}.py").read_text(encoding="utf-8"))
            defined = {getattr(item, "name", None) for item in module.body}
            assert {alias.name for alias in node.names} <= defined, node.module
