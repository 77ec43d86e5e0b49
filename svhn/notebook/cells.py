"""The notebook's cells: the one place from which other code gets its settings and definitions."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svhn.errors import SVHNError
from svhn.settings import Settings

# nbformat takes two seconds to import. `code_cells`, which gives a few sources, does without it.
if TYPE_CHECKING:
    import nbformat

NOTEBOOK = Path("Assignment3.ipynb")
# The number, title and points in a question's heading.
QUESTION = re.compile(r"^#+ Question (\d\.\d): (.+?) \((\d+) points\)", re.M)


def read_notebook(path: Path = NOTEBOOK) -> nbformat.NotebookNode:
    """Reads a notebook.

    Raises:
        SVHNError: It is missing or no notebook.
    """
    import nbformat

    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise SVHNError(f"{path} is missing; run this from the project's folder or restore the file from git") from None
    except MemoryError:
        raise
    except Exception as error:  # nbformat raises the errors of several libraries.
        raise SVHNError(f"{path} is not a readable notebook; restore it from git") from error


def tagged_cells(notebook: nbformat.NotebookNode, *tags: str) -> list[nbformat.NotebookNode]:
    """The code cells that carry any of the tags, in order."""
    wanted = set(tags)
    return [cell for cell in notebook.cells if cell.cell_type == "code" and wanted & set(cell.metadata.get("tags", ()))]


@dataclass(frozen=True)
class Cell:
    """A code cell's source, tags and identifier."""

    source: str
    tags: tuple[str, ...]
    identifier: str


def code_cells(path: Path, *tags: str) -> list[Cell]:
    """The code cells of a notebook that carry any of the tags, in order.

    Raises:
        SVHNError: The notebook is missing or no notebook.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["nbformat"] != 4:
            raise ValueError(content["nbformat"])
        return list(_code_cells(content, set(tags)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # nbformat converts older notebooks, and raises a clear error for anything else.
        return list(_code_cells(read_notebook(path), set(tags)))


def _code_cells(content: dict[str, Any], tags: set[str]) -> Iterator[Cell]:
    for cell in content["cells"]:
        own = tuple(cell["metadata"].get("tags", ()))
        if cell["cell_type"] == "code" and tags & set(own):
            yield Cell("".join(cell["source"]), own, cell.get("id", "?"))


def assigned(source: str) -> dict[str, ast.expr]:
    """The values that a source assigns at its top level, by name.

    Raises:
        SyntaxError: It is not Python.
        ValueError: An assignment has another target than one name.
    """
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign):
            (target,) = node.targets
            if not isinstance(target, ast.Name):
                raise ValueError(f"line {node.lineno}: {ast.unparse(target)} is not a name")
            found[target.id] = node.value
    return found


def parameters(path: Path = NOTEBOOK) -> dict[str, Any]:
    """The values that the notebook's parameters cell sets, by name.

    Raises:
        SVHNError: The cell holds more than names and plain values.
    """
    found: dict[str, Any] = {}
    for cell in code_cells(path, "parameters"):
        try:
            found |= {name: ast.literal_eval(value) for name, value in assigned(cell.source).items()}
        except (SyntaxError, ValueError) as error:
            raise SVHNError(
                f"{path}: the parameters cell holds more than names and plain values ({error}); restore it from git"
            ) from error
    return found


def chosen_settings(path: Path = NOTEBOOK, **given: Any) -> Settings:
    """The settings of a run of the notebook: those given, else the environment's, else those of its parameters cell."""
    return Settings.choose(given, **parameters(path))


def trainable_names(path: Path = NOTEBOOK, chosen: Sequence[str] = ()) -> list[str]:
    """The names of the models and comparisons that the notebook trains, in its order.

    Args:
        path: The notebook.
        chosen: The names to give; none of them means all.

    Raises:
        SVHNError: The notebook trains no model of a chosen name.
    """
    tags = [tag for cell in code_cells(path, "run") for tag in cell.tags]
    known = [tag for tag in tags if tag.startswith(("model_", "comparison_"))]
    if unknown := [name for name in chosen if name not in known]:
        raise SVHNError(f"there is no model {', '.join(unknown)} to train; the notebook defines {', '.join(known)}")
    return [name for name in known if name in chosen or not chosen]


def load_definitions(path: Path | None = None, *extra_tags: str, **parameters: Any) -> dict[str, Any]:
    """Runs the notebook's `parameters` and `definitions` cells, and those of further tags.

    Args:
        path: The notebook; None means the project's.
        *extra_tags: The tags of further cells to run in their place: "data" to load the digits, "model_2_1" to run
            that model's evaluation.
        **parameters: Values that replace those of the parameters cell.

    Returns:
        The values that the cells define, by name.
    """
    path = path or NOTEBOOK
    namespace: dict[str, Any] = {"__name__": "assignment"}
    beside = str(path.resolve().parent)  # The notebook imports the modules beside it.
    if beside not in sys.path:
        sys.path.insert(0, beside)
    for cell in code_cells(path, "parameters", "definitions", *extra_tags):
        exec(compile(cell.source, f"{path}[{cell.identifier}]", "exec"), namespace)
        if "parameters" in cell.tags:
            namespace.update(parameters)
    return namespace


def load_alone(path: Path, name: str) -> Any:
    """Runs one definition of the notebook, the definitions that it names, those that they name, and no others.

    Args:
        path: The notebook.
        name: The name of a function, class or constant in a definitions cell.

    Returns:
        The definition's value. None where it is missing, needs Keras, or cannot run alone, because a statement that
        defines nothing uses one of its names.
    """
    try:
        body = [part for cell in code_cells(path, "parameters", "definitions") for part in ast.parse(cell.source).body]
        needed, found = {name}, 0
        while len(needed) != found:
            found = len(needed)
            needed |= {named for part in body if needed & _bound(part) for named in _named(part)}
        chosen = [part for part in body if needed & _bound(part)]
        if not name.isidentifier() or {"keras", "tensorflow"} & needed:
            return None
        if any(not _bound(part) and needed & _named(part) for part in body):
            return None
        namespace: dict[str, Any] = {"__name__": "assignment"}
        exec(compile(ast.Module(chosen, []), str(path), "exec"), namespace)
        return namespace.get(name)
    except Exception:  # The caller then runs all cells, and is told the fault.
        return None


def _bound(part: ast.stmt) -> set[str]:
    """The names that an import, a definition or an assignment makes; none of any other statement."""
    if isinstance(part, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in part.names}
    if isinstance(part, ast.FunctionDef | ast.ClassDef):
        return {part.name}
    if isinstance(part, ast.Assign):
        return {node.id for target in part.targets for node in ast.walk(target) if isinstance(node, ast.Name)}
    return set()


def _named(part: ast.stmt) -> set[str]:
    """The names that a statement uses, with those of the packages that it imports."""
    named = {node.id for node in ast.walk(part) if isinstance(node, ast.Name)}
    if isinstance(part, ast.Import):
        named |= {alias.name.partition(".")[0] for alias in part.names}
    if isinstance(part, ast.ImportFrom):
        named.add((part.module or "").partition(".")[0])
    return named
