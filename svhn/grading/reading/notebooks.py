"""Which of several notebooks is the hand-in's: the one with the answers."""

import re
from pathlib import Path
from typing import Any

from svhn.grading.reading.answers import is_answer, labelled, said_in
from svhn.grading.reading.cells import HEADING, read_cells
from svhn.grading.reading.names import answered_by, shown_name

PROJECT_NOTEBOOK = "Assignment3.ipynb"
_MOST = 20
_COPY = re.compile(r"(?:-Copy\d*|\(\d+\)|\bcopy\b|backup|old|draft|scratch)", re.I)
Cells = list[dict[str, Any]]


def choose_notebook(notebooks: list[Path], findings: list[str], elsewhere: str = "") -> tuple[Cells, str]:
    """The cells of a hand-in's notebook.

    Of several the one with the most answers is read, else the one called Assignment3.ipynb. Of copies that say the
    same, any will do.

    Args:
        notebooks: Of the hand-in.
        findings: Gets a line for what is not readable, and one that says which of several is read.
        elsewhere: Where it may be instead, in a file that is not read.

    Returns:
        The cells, and why there are none though there is or may be a notebook, or an empty text.
    """
    if not notebooks:
        findings += [] if elsewhere else ["no notebook was handed in"]
        return [], elsewhere
    told: dict[Path, list[str]] = {path: [] for path in notebooks[:_MOST]}
    read = {path: read_cells(path, told[path]) for path in told}
    good = {path: cells for path, cells in read.items() if cells is not None}
    if not good:
        for lines in told.values():
            findings += lines
        return [], f"{shown_name(notebooks[0].name)} is not a readable notebook"
    chosen = _chosen(good)
    if len(notebooks) > 1:
        names = ", ".join(shown_name(path.name) for path in notebooks[:5])
        told_none = f"none was read, for it is not clear which is handed in; hand in one, called {PROJECT_NOTEBOOK}"
        read_only = f"only {shown_name(chosen.name)} was read" if chosen else told_none
        findings.append(f"{len(notebooks)} notebooks were handed in ({names}): {read_only}")
    if chosen is None:
        return [], f"it is not clear which of {len(notebooks)} notebooks is handed in, and none was read"
    findings += told[chosen]
    return good[chosen], ""


def which_notebook(notebooks: list[Path]) -> str | None:
    """The path of the one that `choose_notebook` reads, None where that is not clear."""
    read = {path: read_cells(path, []) for path in notebooks[:_MOST]}
    good = {path: cells for path, cells in read.items() if cells is not None}
    chosen = _chosen(good) if good else None
    return str(chosen) if chosen else None


def _chosen(good: dict[Path, Cells]) -> Path | None:
    answers = {path: _answers(cells) for path, cells in good.items()}
    most = max(len(found) for found in answers.values())
    best = [path for path in good if len(answers[path]) == most]
    if not most:
        return _without_answers(good)
    if len(best) > 1 and any(answers[path] != answers[best[0]] for path in best):
        best = [path for path in best if not _COPY.search(path.stem)] or best
        best = best if len(best) == 1 else [path for path in best if path.name == PROJECT_NOTEBOOK]
    best.sort(key=lambda path: (bool(_COPY.search(path.stem)), path.name != PROJECT_NOTEBOOK, path.name))
    return next(iter(best), None)


def _without_answers(good: dict[Path, Cells]) -> Path | None:
    """Of notebooks without answers, which may be in a file beside them: by its name, else the one with the headings."""
    named = [path for path in good if path.name == PROJECT_NOTEBOOK] or list(good)
    if len(named) == 1:
        return named[0]
    headings = {
        path: sum(len(HEADING.findall(cell["source"])) for cell in good[path] if cell["cell_type"] == "markdown")
        for path in named
    }
    most = max(headings.values())
    best = [path for path in named if headings[path] == most]
    return best[0] if most and len(best) == 1 else None


def _answers(cells: Cells) -> dict[str, str]:
    """The answers that a notebook's cells assign or head, without blank ones and the template's."""
    values = labelled(cells) | said_in(cells, lambda name: answered_by(name) is not None, []).values
    return {name: " ".join(value.split()) for name, (value, _) in values.items() if is_answer(value)}
