"""The notebook as a source of definitions: the one place that gives its answers to other code."""

import ast
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat

from svhn.errors import SVHNError
from svhn.settings import Settings

NOTEBOOK = Path("Assignment3.ipynb")
# The published figures, in the folder of the models; and the kind of output in which a notebook hands figures on.
RESULTS = "results.json"
FIGURES_MIME = "application/vnd.svhn.figures+json"
# Number, title and points of a question, as its heading has them.
QUESTION = re.compile(r"^#+ Question (\d\.\d): (.+?) \((\d+) points\)", re.M)


def read_notebook(path: Path = NOTEBOOK) -> nbformat.NotebookNode:
    """Reads a notebook.

    Raises:
        SVHNError: It is missing or no notebook.
    """
    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise SVHNError(f"{path} is missing; run this from the project's folder or restore the file from git") from None
    except MemoryError:
        raise
    except Exception as error:  # nbformat raises errors of several libraries.
        raise SVHNError(f"{path} is not a readable notebook; restore it from git") from error


def tagged_cells(notebook: nbformat.NotebookNode, *tags: str) -> list[nbformat.NotebookNode]:
    """The code cells that carry any of the tags, in order."""
    wanted = set(tags)
    return [cell for cell in notebook.cells if cell.cell_type == "code" and wanted & set(cell.metadata.get("tags", ()))]


def read_figures(notebook: nbformat.NotebookNode) -> dict[str, Any]:
    """The figures that an executed notebook showed, by question."""
    shown = [
        output["data"][FIGURES_MIME]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if FIGURES_MIME in output.get("data", {})
    ]
    return {content["question"]: content for content in shown}


def assigned(source: str) -> dict[str, ast.expr]:
    """The values that a source assigns at its top level, by name.

    Raises:
        SyntaxError: It is not Python.
        ValueError: It assigns to something else than one name.
    """
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign):
            (target,) = node.targets
            if not isinstance(target, ast.Name):
                raise ValueError(f"{ast.unparse(target)} is not a name")
            found[target.id] = node.value
    return found


def parameters(path: Path = NOTEBOOK) -> dict[str, Any]:
    """The values that the notebook's parameters cell sets, by name."""
    found: dict[str, Any] = {}
    for cell in tagged_cells(read_notebook(path), "parameters"):
        try:
            found |= {name: ast.literal_eval(value) for name, value in assigned(cell.source).items()}
        except (SyntaxError, ValueError) as error:
            raise SVHNError(
                f"{path}: the parameters cell holds more than names and plain values ({error}); restore it from git"
            ) from error
    return found


def chosen_settings(path: Path = NOTEBOOK, **given: Any) -> Settings:
    """The settings of a run of the notebook: what is given, else the environment's, else its parameters cell's."""
    return Settings.choose(given, **parameters(path))


def trainable_names(path: Path = NOTEBOOK, chosen: Sequence[str] = ()) -> list[str]:
    """The names of the models and comparisons that the notebook trains, in its order; of `chosen` only, if any.

    Raises:
        SVHNError: One that is chosen is not among them.
    """
    tags = [tag for cell in tagged_cells(read_notebook(path), "run") for tag in cell.metadata.tags]
    known = [tag for tag in tags if tag.startswith(("model_", "comparison_"))]
    if unknown := [name for name in chosen if name not in known]:
        raise SVHNError(f"there is no model {', '.join(unknown)} to train; the notebook defines {', '.join(known)}")
    return [name for name in known if name in chosen or not chosen]


def load_definitions(path: Path | None = None, *extra_tags: str, **parameters: Any) -> dict[str, Any]:
    """Runs the notebook's `parameters` and `definitions` cells, and no others.

    Args:
        path: Of the notebook, None for the project's.
        *extra_tags: Of further cells to run in their place: "data" to load the digits, "model_2_1" to run that
            model's evaluation.
        **parameters: What to set instead of the values of the parameters cell.

    Returns:
        The names that the cells define.
    """
    path = path or NOTEBOOK
    namespace: dict[str, Any] = {"__name__": "assignment"}
    beside = str(path.resolve().parent)  # Python itself looks there only where it was started so.
    if beside not in sys.path:
        sys.path.insert(0, beside)
    for cell in tagged_cells(read_notebook(path), "parameters", "definitions", *extra_tags):
        exec(compile(cell.source, f"{path}[{cell.id}]", "exec"), namespace)
        if "parameters" in cell.metadata.tags:
            namespace.update(parameters)
    return namespace
