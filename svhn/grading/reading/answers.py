"""Written answers of strangers: under which names and labels they stand, and in which of several notebooks."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from svhn.grading.reading.cells import HEADING, problem_of, python_of, read_cells
from svhn.grading.reading.constants import Values, collect, salvage
from svhn.grading.reading.names import ANSWER_WORD, answered_by, shown_name
from svhn.grading.reading.people import is_placeholder
from svhn.rubric.questions import BY_NUMBER

EXACT = {number: f"answer_q_{question.identifier}" for number, question in BY_NUMBER.items()}
_NUMBER = r"([1-4])[._]([1-3])(?![._]?\d)"
# "Answer 1.1: ...", "**Answer**" and "### My answer to question 1.1 (4p)", at the start of a line without its HTML.
_LABEL = re.compile(
    rf"[\W_]*(?:(?:my|our|your|the|written)\W+)?{ANSWER_WORD}(?![^\W_])(?:\W*\b(?:to|for|on|of))?(?:\W*\b(?:question|q|vraag)\b)?"
    rf"(?:[\W_]*(?P<number>{_NUMBER})(?:[\W_]*\([^)]{{0,20}}\))?|(?=[*_]*\s*(?:[:.-](?![^\W_])|$)))[\s:.*_-]*(?P<text>.*)",
    re.I,
)
_ASSIGNED = re.compile(r"\b(\w+)\s*(?::\s*[\w.\[\]]+\s*)?\+?=(?!=)")
_SPOKEN = re.compile(rf"\b{ANSWER_WORD}\W{{0,3}}(?:(?:to )?(?:question|q) ?)?{_NUMBER}(?:\W+[^\W\d_]+){{3}}", re.I)
_ASSIGNMENT = re.compile(r"\s*[\w.\[\]'\"]+\s*\+?=")
# A list of them, or one variable that is set anew in each section.
_PLAIN = re.compile(rf"\b(?:my_)?{ANSWER_WORD}\s*\+?=\s*(?:[frb]{{0,2}}[\"']|\[\s*[^\s\]]|\(\s*[^\s)])", re.I)
_WORDS = re.compile(r"(?:\b[^\W\d_]{2,}\W+){3}")
_TEXT_MAGIC = re.compile(r"\s*%%(?:markdown|md)\b[^\n]*\n")
# The release's own words below a question's cells.
_RELEASED = "marked by a person"
PROJECT_NOTEBOOK = "Assignment3.ipynb"
_MOST = 20
_COPY = re.compile(r"(?:-Copy\d*|\(\d+\)|\bcopy\b|backup|old|draft|scratch)", re.I)
Cells = list[dict[str, Any]]


@dataclass
class Said:
    """The assignments of a hand-in's sources.

    Attributes:
        values: By name, the value (None where it is computed) and where it is from; answers by their exact names.
        lost: Names that are assigned where the source could not be read, and where.
        unclear: Answers of which there are several, and the names of these.
    """

    values: Values = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    unclear: dict[str, list[str]] = field(default_factory=dict)

    def take_in(self, source: str, where: str, is_wanted: Callable[[str], bool], findings: list[str]) -> None:
        """Adds what a source assigns, whole or as far as it can be read."""
        tree, problem = problem_of(source)
        if tree is not None:
            collect(tree, where, self.values, is_wanted)
            return
        findings.append(f"{where}{problem}")
        for name in salvage(source, where, self.values, is_wanted):
            number = answered_by(name)
            self.lost[EXACT[number] if number else name] = where

    def settle(self) -> None:
        """Gives answers under names of people's own, as `ANSWER_1_1` and `answers["1.1"]`, the exact ones.

        An answer under the exact name counts before any other, unless it is blank.
        """
        own: dict[str, dict[str, tuple[Any, str]]] = {}
        for name in list(self.values):
            number = answered_by(name)
            if number and name != EXACT[number]:
                own.setdefault(EXACT[number], {})[name] = self.values.pop(name)
        for exact, given in own.items():
            if exact in self.values and (self.values[exact][0] is None or is_answer(self.values[exact][0])):
                continue
            texts = {" ".join(str(value).split()): name for name, (value, _) in given.items() if is_answer(value)}
            if len(texts) > 1:
                self.values.pop(exact, None)
                self.unclear[exact] = list(texts.values())
            elif exact not in self.values or texts:
                self.values[exact] = given[next(iter(texts.values()), next(iter(given)))]


def is_answer(value: Any) -> bool:
    """Whether a value is a text of somebody's own."""
    return isinstance(value, str) and bool(value.strip()) and not is_placeholder(value)


def said_in(cells: list[dict[str, Any]], is_wanted: Callable[[str], bool], findings: list[str]) -> Said:
    """The assignments of a notebook's cells."""
    said = Said()
    for cell in cells:
        if cell["cell_type"] == "code":
            said.take_in(python_of(cell["source"]), cell["where"], is_wanted, findings)
    said.settle()
    return said


def labelled(cells: list[dict[str, Any]]) -> Values:
    """Answers in text cells, by their exact names: they follow "Answer 1.1", or "Answer" below a question's heading.

    The text goes on to the next heading, label or code cell.
    """
    found: dict[str, list[str]] = {}
    places: dict[str, str] = {}
    question = current = None
    for cell in cells:
        text = _text_of(cell)
        if text is None:
            current = None
            continue
        for line in _without_html(text).splitlines():
            label = None if _ASSIGNMENT.match(line) else _LABEL.match(line)
            number = (label and (label["number"] or "").replace("_", ".")) or question
            if label and number in EXACT:
                current = EXACT[number]
                places.setdefault(current, cell["where"])
                found.setdefault(current, []).append(label["text"])
            elif line.startswith("#") or HEADING.match(line):
                current, question = None, [*HEADING.findall(line), question][0]
            elif current:
                found[current].append(line)
    texts = {name: "\n".join(lines).strip(" \n\t*_>") for name, lines in found.items()}
    return {name: (text, places[name]) for name, text in texts.items() if is_answer(text)}


def mentioned(cells: list[dict[str, Any]], blank: Collection[str]) -> dict[str, str]:
    """Where an answer may stand in a form that is not read, by its exact name.

    It may be a comment, a cell that is not run, a printed text, or a text without a label below a question's heading.

    Args:
        cells: Of the notebook, and the other sources.
        blank: Names that are assigned and left blank, so that nothing is unread where they are assigned.
    """
    found: dict[str, str] = {}
    question = None
    for cell in cells:
        source, text = cell["source"][:100_000], _text_of(cell)
        assigned = [answered_by(name) for name in _ASSIGNED.findall(source)]
        numbers = [number for number in assigned if number and EXACT[number] not in blank]
        if text is None:
            numbers += [".".join(parts) for parts in _SPOKEN.findall(source)]
            if _PLAIN.search(source):
                numbers += [question] if question else list(EXACT)
        else:
            headings = HEADING.findall(text)
            question = headings[-1] if headings else question
            own = not headings or not re.search(r"question|vraag", text[:200], re.I)
            if question and own and _RELEASED not in text and _WORDS.search(text):
                numbers.append(question)
        for number in numbers:
            if number in EXACT:
                found.setdefault(EXACT[number], cell["where"])
    return found


def _text_of(cell: dict[str, Any]) -> str | None:
    """The text of a cell that is no code."""
    if cell["cell_type"] != "code":
        return cell["source"][:100_000]
    magic = _TEXT_MAGIC.match(cell["source"])
    return cell["source"][magic.end() :][:100_000] if magic else None


def _without_html(text: str) -> str:
    return re.sub(r"<[^<>]{0,500}>", "", re.sub(r"<(?:br|p|/p|/h\d|/div)\b[^<>]{0,100}>", "\n", text, flags=re.I))


def choose_notebook(notebooks: list[Path], findings: list[str], elsewhere: str = "") -> tuple[Cells, str]:
    """The cells of a hand-in's notebook.

    Of several the one with the most answers is read, else the one called Assignment3.ipynb. Of copies that say the
    same, any will do.

    Args:
        notebooks: Of the hand-in.
        findings: Gets a line for an unreadable notebook, and one that says which of several is read.
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
    assigned = said_in(cells, lambda name: answered_by(name) is not None, []).values
    values = labelled(cells) | {name: given for name, given in assigned.items() if is_answer(given[0])}
    return {name: " ".join(value.split()) for name, (value, _) in values.items()}
