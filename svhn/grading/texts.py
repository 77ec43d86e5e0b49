"""Reads what a hand-in says, out of its syntax trees and stored outputs; runs none of it."""

import base64
import binascii
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from svhn.grading.reading.cells import decoded, joined, problem_of, python_of
from svhn.grading.reading.constants import Values, collect, salvage
from svhn.grading.reading.names import shown_name
from svhn.grading.reading.notebooks import choose_notebook
from svhn.grading.reading.people import is_of_a_person, is_placeholder, student
from svhn.grading.reading.printed import printed, stated_accuracy
from svhn.rubric.questions import BY_NUMBER

_DATES = ("last_edit", "last_modified", "last_edited", "date", "edit_date")
_MODIFIED = re.compile(r"^Last modified: (\d{4}-\d\d-\d\d[ \d:]{0,9})", re.M)
_HEADING = re.compile(rf"^#+ .*?\b({'|'.join(map(re.escape, BY_NUMBER))})\b", re.M)
_PNG = b"\x89PNG\r\n\x1a\n"
# Of a plot in base64, and of all; and how many of a question.
_PLOT_BYTES, _ALL_PLOTS_BYTES = 3_000_000, 40_000_000
_PLOTS = 20
_FINDINGS = 60


def is_wanted(name: str) -> bool:
    """Whether what is assigned to a name is an answer, a person's name or number, or a date."""
    return name.startswith("answer_q_") or name in _DATES or is_of_a_person(name)


def read_written(notebooks: list[Path], written: list[Path]) -> dict[str, Any]:
    """Name, number, answers, date, stated accuracy of 4.2 and plots of a hand-in.

    Args:
        notebooks: Of the hand-in; of several, the one with the answers is read.
        written: Its `answers.py` and `solution.py`.

    Returns:
        `student` (`name`, `id`), `answers` (question to `text`, `characters`, `limit`, `where`), `no_answer` (question
        to why there is none), `date` (`value`, `source`), `evaluation_4_2` (a share or None), `printed_4_2` (what the
        cells of 4.2 printed, where no accuracy was found in it), `plots` (`question`, `png` in base64), and `findings`,
        one line for each thing that is missing or unreadable.
    """
    findings: list[str] = []
    cells, unread = choose_notebook(notebooks, findings)
    said = _Said()
    for cell in cells:
        if cell["cell_type"] == "code":
            _take_in(python_of(cell["source"]), cell["where"], said, said.values, findings)
    for path in written:
        _take_in_file(path, said, findings)
    outputs = "\n".join(printed(cells))
    evaluation, shown = stated_accuracy(cells)
    answers, no_answer = _answers(said, unread, findings)
    return {
        "student": student(said.values, cells, outputs, None if unread else findings),
        "answers": answers,
        "no_answer": no_answer,
        "date": _date(said.values, outputs, [*notebooks, *written]),
        "evaluation_4_2": evaluation,
        "printed_4_2": shown,
        "plots": list(_plots(cells, findings)),
        "findings": _cut(findings),
    }


def _cut(findings: list[str]) -> list[str]:
    """The first findings, and how many more there are."""
    more = len(findings) - _FINDINGS
    return findings if more <= 0 else [*findings[:_FINDINGS], f"and {more:,} more findings about its texts"]


@dataclass
class _Said:
    """What a hand-in's sources assign.

    Attributes:
        values: By name, the value (None where it is computed) and where it is from.
        lost: Names that are assigned where the source could not be read, and where.
    """

    values: Values = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)


def _take_in(source: str, where: str, said: _Said, values: Values, findings: list[str]) -> None:
    tree, problem = problem_of(source)
    if tree is not None:
        collect(tree, where, values, is_wanted)
        return
    findings.append(f"{where}{problem}")
    said.lost |= dict.fromkeys(salvage(source, where, values, is_wanted), where)


def _take_in_file(path: Path, said: _Said, findings: list[str]) -> None:
    """Takes in `answers.py`, which counts before the notebook, or `solution.py`, before which the notebook counts."""
    in_file: Values = {}
    _take_in(decoded(path, findings), shown_name(path.name), said, in_file, findings)
    differing = []
    for name, (value, where) in in_file.items():
        earlier = said.values.get(name, (None, ""))[0]
        # Answers written in the notebook may come with a file as it was released, all empty.
        blank = isinstance(value, str) and not _answered(value)
        if isinstance(earlier, str) and _answered(earlier) and (blank or path.name.lower() == "solution.py"):
            if not blank and _words(value) != _words(earlier):
                differing.append(name)
            continue
        if isinstance(earlier, str) and _answered(earlier) and _words(value) != _words(earlier):
            differing.append(name)
        said.values[name] = value, where
    if differing:
        counts = "the notebook" if path.name.lower() == "solution.py" else shown_name(path.name)
        findings.append(f"{shown_name(path.name)} and the notebook differ in {', '.join(differing)}: {counts} counts")


def _words(value: Any) -> list[str]:
    return str(value).split()


def _answered(text: str) -> bool:
    return bool(text.strip()) and not is_placeholder(text)


def _answers(said: _Said, unread: str, findings: list[str]) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """The answers, and for each other question why there is none: not there, not readable, or not looked at."""
    answers, no_answer = {}, {}
    required = sum(not question.answer_optional for question in BY_NUMBER.values())
    named = {number: f"answer_q_{question.identifier}" for number, question in BY_NUMBER.items()}
    for question, name in named.items():
        if name not in said.values:
            if name in said.lost:
                no_answer[question] = f"it cannot be read, as {said.lost[name]} is not Python"
                findings.append(f"{name} ({said.lost[name]}) cannot be read: what it stands in is not Python")
            elif unread:
                no_answer[question] = unread
            else:
                no_answer[question] = "none is asked for" if BY_NUMBER[question].answer_optional else "it is missing"
            continue
        value, where = said.values[name]
        if not isinstance(value, str):
            no_answer[question] = "it is computed, and cannot be read without running the hand-in"
            findings.append(f"{name} ({where}) is computed, so it cannot be read without running the hand-in")
            continue
        # The length is that of the text handed in; what indents a triple-quoted string is no part of it.
        text = "\n".join(line.strip() for line in value.strip().splitlines())
        limit = BY_NUMBER[question].answer_limit
        if not text:
            findings.append(f"{name} ({where}) is empty")
        elif is_placeholder(text):
            no_answer[question] = "the template's placeholder still stands there"
            findings.append(f"{name} ({where}) is unanswered: the template's placeholder still stands there")
            continue
        elif len(text) > limit:
            findings.append(f"{name} has {len(text):,} characters, {len(text) - limit:,} over the limit of {limit}")
        answers[question] = {"text": text[:20_000], "characters": len(text), "limit": limit, "where": where}
    if missing := [named[question] for question, why in no_answer.items() if why == "it is missing"]:
        which = "all of them" if not answers and len(missing) >= required else ", ".join(missing)
        findings.append(f"written answers are missing: {which}")
    return answers, no_answer


def _date(values: Values, outputs: str, paths: list[Path]) -> dict[str, str] | None:
    if stated := _MODIFIED.findall(outputs):
        return {"value": stated[-1].strip(), "source": "the notebook's stored output"}
    for name in _DATES:
        value, where = values.get(name, (None, ""))
        if isinstance(value, str) and value.strip():
            return {"value": value.strip()[:60], "source": f"{name} in {where}"}
    if not paths:
        return None
    youngest = max(path.stat().st_mtime for path in paths)
    value = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(youngest))
    return {"value": value, "source": "the youngest file's time, which copying may have changed"}


def _plots(cells: list[dict[str, Any]], findings: list[str]) -> Iterator[dict[str, str]]:
    """The stored plots under each question's heading, for the person who marks them; as many of each as fit."""
    question = None
    numbers, left_out, room = Counter[str](), Counter[str](), _ALL_PLOTS_BYTES
    for cell in cells:
        if cell["cell_type"] == "markdown" and (headings := _HEADING.findall(cell["source"])):
            question = headings[-1]
        for output in cell["outputs"]:
            data = output.get("data")
            png = joined(data.get("image/png")) if isinstance(data, dict) else ""
            if question not in BY_NUMBER or not png or not _is_png(png):
                continue
            if numbers[question] == _PLOTS or len(png) > min(_PLOT_BYTES, room):
                left_out[question] += 1
                continue
            numbers[question] += 1
            room -= len(png)
            yield {"question": question, "png": "".join(png.split())}
    for question, count in left_out.items():
        findings.append(f"{count} of the plots of {question} are too large or too many to be in the report")


def _is_png(text: str) -> bool:
    try:
        return base64.b64decode("".join(text.split()), validate=True).startswith(_PNG)
    except (binascii.Error, ValueError):
        return False
