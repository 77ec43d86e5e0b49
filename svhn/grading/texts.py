"""Reads the texts of a hand-in, out of its syntax trees and stored outputs; runs none of it."""

import base64
import binascii
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from svhn.errors import listed
from svhn.grading.facts import Answer, LastModified, Plot, Written
from svhn.grading.reading.answers import EXACT, Said, choose_notebook, is_answer, labelled, mentioned, said_in
from svhn.grading.reading.causes import without_escapes
from svhn.grading.reading.cells import HEADING, decoded, joined
from svhn.grading.reading.constants import Values
from svhn.grading.reading.names import ANSWER_WORD, answered_by, shown_name
from svhn.grading.reading.people import is_of_a_person, is_placeholder, student
from svhn.rubric.questions import BY_NUMBER

_DATES = ("last_edit", "last_modified", "last_edited", "date", "edit_date")
_MODIFIED = re.compile(r"^Last modified: (\d{4}-\d\d-\d\d[ \d:]{0,9})", re.M)
# 0.81, .81, 81 %, and in some languages 0,81; neither 1,000 nor a part of another number.
_SHARE = r"(?<![\w.,])(\d{1,3}(?:[.,]\d+)? ?%|[01]?\.\d+|0,\d+|[01](?:\.0*)?)(?![\w.,]*\d)"
_EVALUATION = re.compile(rf"^\W*Evaluation\W*: *(?:np\.float\d+\()?{_SHARE}", re.M)
_WORDED = re.compile(rf"(?<![^\W_])(?:accuracy|acc|score|evaluation)\b[^\n\d]{{0,60}}?{_SHARE}", re.I)
_BARE = re.compile(rf"^\s*(?:np\.float\d+\()?{_SHARE}\)?\s*$")
_SHOWN = 300
_PNG = b"\x89PNG\r\n\x1a\n"
# Of a plot in base64, and of all; and how many of a question.
_PLOT_BYTES, _ALL_PLOTS_BYTES = 3_000_000, 40_000_000
_PLOTS = 20
_FINDINGS = 60
_MISSING = "it is missing"


def is_wanted(name: str) -> bool:
    """Whether a variable of that name is an answer, a person's name or number, or a date."""
    return answered_by(name) is not None or name in _DATES or is_of_a_person(name)


def read_written(notebooks: list[Path], written: list[Path], unread: Sequence[str] = ()) -> Written:
    """Name, number, answers, date, stated accuracy of 4.2 and plots of a hand-in.

    Args:
        notebooks: Of the hand-in; of several, the one with the answers is read.
        written: Its `answers.py` and `solution.py`.
        unread: The names of files that are not read, and that may hold any of these: nothing is missing then.
    """
    findings: list[str] = []
    elsewhere = f"it may be in what is not read ({listed(unread, 3)})" if unread else ""
    cells, no_notebook = choose_notebook(notebooks, findings, elsewhere)
    said, sources = said_in(cells, is_wanted, findings), list(cells)
    for path in written:
        source = {"cell_type": "code", "source": decoded(path, findings), "where": shown_name(path.name)}
        _take_in_file(source, said, findings)
        sources.append(source)
    outputs = "\n".join(printed(cells))
    evaluation, shown = stated_accuracy(cells)
    answers, no_answer = _answers(said, sources, no_notebook or elsewhere, findings)
    return Written(
        student=student(said.values, cells, outputs, None if no_notebook or elsewhere else findings),
        answers=answers,
        no_answer=no_answer,
        no_notebook=no_notebook,
        date=_date(said.values, outputs, [*notebooks, *written]),
        evaluation_4_2=evaluation,
        printed_4_2=shown,
        plots=list(_plots(cells, findings)),
        findings=_cut(findings),
    )


def _cut(findings: list[str]) -> list[str]:
    """The first findings, and how many more there are."""
    more = len(findings) - _FINDINGS
    return findings if more <= 0 else [*findings[:_FINDINGS], f"and {more:,} more findings about its texts"]


def _take_in_file(source: dict[str, Any], said: Said, findings: list[str]) -> None:
    """Takes in `answers.py`, which counts before the notebook, or another file, before which the notebook counts."""
    in_file, file = said_in([source], is_wanted, findings), source["where"]
    said.lost |= in_file.lost
    said.unclear |= in_file.unclear
    fills_gaps, differing = not re.match(ANSWER_WORD, file, re.I), dict[str, str]()
    for name, (value, where) in in_file.values.items():
        earlier, place = said.values.get(name, (None, ""))
        # Answers written in the notebook may come with a file as it was released, all empty.
        blank = isinstance(value, str) and not is_answer(value)
        if is_answer(earlier) and not blank and _words(value) != _words(earlier):
            differing[name] = "the notebook" if ", cell " in place else place
        if not (is_answer(earlier) and (blank or fills_gaps)):
            said.values[name] = value, where
    if differing:
        other = " and ".join(dict.fromkeys(differing.values()))
        counts = other if fills_gaps else file
        findings.append(f"{file} and {other} differ in {', '.join(differing)}: {counts} counts")


def _words(value: Any) -> list[str]:
    return str(value).split()


def _answers(
    said: Said, cells: list[dict[str, Any]], unread: str, findings: list[str]
) -> tuple[dict[str, Answer], dict[str, str]]:
    """The answers, and for each other question why there is none: not there, not readable, or not looked at."""
    answers: dict[str, Answer] = {}
    no_answer: dict[str, str] = {}
    blank = {name for name, (value, _) in said.values.items() if isinstance(value, str) and not is_answer(value)}
    in_text, elsewhere = labelled(cells), mentioned(cells, blank)
    for question, name in EXACT.items():
        value, where = said.values.get(name, ("", ""))
        if name in in_text and (name in blank or not where):
            value, where = in_text[name]
        elif name in blank and name in elsewhere:
            where = ""
        if not where:
            no_answer[question] = _why_none(question, said, elsewhere, unread, findings)
        elif not isinstance(value, str):
            no_answer[question] = "it is computed, and cannot be read without running the hand-in"
            findings.append(f"{name} ({where}) is computed, so it cannot be read without running the hand-in")
        elif is_placeholder(value):
            no_answer[question] = "the template's placeholder still stands there"
            findings.append(f"{name} ({where}) is unanswered: the template's placeholder still stands there")
        else:
            answers[question] = _answer(question, value, where, findings)
    if missing := [EXACT[question] for question, why in no_answer.items() if why == _MISSING]:
        required = sum(not question.answer_optional for question in BY_NUMBER.values())
        which = "all of them" if not answers and len(missing) >= required else ", ".join(missing)
        findings.append(f"written answers are missing: {which}")
    return answers, no_answer


def _answer(question: str, value: str, where: str, findings: list[str]) -> Answer:
    # The length is that of the text handed in, without the indentation of a triple-quoted string.
    text = "\n".join(line.strip() for line in value.strip().splitlines())
    limit, name = BY_NUMBER[question].answer_limit, EXACT[question]
    if not text:
        findings.append(f"{name} ({where}) is empty")
    elif len(text) > limit:
        findings.append(f"{name} has {len(text):,} characters, {len(text) - limit:,} over the limit of {limit}")
    return Answer(text=text[:20_000], characters=len(text), limit=limit, where=where)


def _why_none(question: str, said: Said, elsewhere: dict[str, str], unread: str, findings: list[str]) -> str:
    """Why a question has no answer that was read."""
    name = EXACT[question]
    if name in said.lost:
        findings.append(f"{name} ({said.lost[name]}) cannot be read: what it stands in is not Python")
        return f"it cannot be read, as {said.lost[name]} is not Python"
    if name in said.unclear:
        reason = f"it is not clear which of {listed(said.unclear[name])} it is"
        findings.append(f"{name} was not read: {reason}; keep one, called {name}")
        return reason
    if name in elsewhere:
        findings.append(f"{name} was not read: {elsewhere[name]} may hold it, in a form that is not read")
        return f"it may stand in {elsewhere[name]}, in a form that is not read; assign it to {name}"
    return unread or ("none is asked for" if BY_NUMBER[question].answer_optional else _MISSING)


def _date(values: Values, outputs: str, paths: list[Path]) -> LastModified | None:
    if stated := _MODIFIED.findall(outputs):
        return LastModified(value=stated[-1].strip(), source="the notebook's stored output")
    for name in _DATES:
        value, where = values.get(name, (None, ""))
        if isinstance(value, str) and value.strip():
            return LastModified(value=value.strip()[:60], source=f"{name} in {where}")
    if not paths:
        return None
    youngest = max(path.stat().st_mtime for path in paths)
    value = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(youngest))
    return LastModified(value=value, source="the youngest file's time, which copying may have changed")


def _plots(cells: list[dict[str, Any]], findings: list[str]) -> Iterator[Plot]:
    """The stored plots under each question's heading, for the person who marks them; as many of each as fit."""
    question = None
    numbers, left_out, room = Counter[str](), Counter[str](), _ALL_PLOTS_BYTES
    for cell in cells:
        if cell["cell_type"] == "markdown" and (headings := HEADING.findall(cell["source"])):
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
            yield Plot(question=question, png="".join(png.split()))
    for question, count in left_out.items():
        findings.append(f"{count} of the plots of {question} are too large or too many to be in the report")


def _is_png(text: str) -> bool:
    try:
        return base64.b64decode("".join(text.split()), validate=True).startswith(_PNG)
    except (binascii.Error, ValueError):
        return False


def printed(cells: list[dict[str, Any]]) -> Iterator[str]:
    """The text of each output without the codes that colour it; of a long one the start."""
    for cell in cells:
        yield from _texts(cell)


def stated_accuracy(cells: list[dict[str, Any]]) -> tuple[float | None, str | None]:
    """The accuracy of 4.2 on the test digits that a notebook's outputs state.

    `Evaluation: 0.8351` counts wherever it stands, the last one. Else an accuracy in words below the heading of 4.2,
    about the test digits first; else a result that is nothing but a share. Where two shares are stated and nothing says
    which is meant, neither is taken.

    Returns:
        A share, 0..1, or None; and where it is None the printed text of 4.2's cells, for a person to read.
    """
    if stated := _EVALUATION.findall("\n".join(printed(cells))):
        last = _share(stated[-1])
        return (last, None) if last is not None else (None, f"Evaluation: {stated[-1]}")
    own = [text for cell in _of_4_2(cells) for text in _texts(cell) if text.strip()]
    lines = [line for text in own for line in text.splitlines()]
    worded = [(line, share) for line in lines for share in _WORDED.findall(line)]
    for chosen in ([item for item in worded if re.search(r"\btest", item[0], re.I)], worded):
        shares = {share for _, text in chosen if (share := _share(text)) is not None}
        if len(shares) == 1:
            return shares.pop(), None
    bare = [share for text in own if (found := _BARE.match(text)) and (share := _share(found[1])) is not None]
    if not worded and len(set(bare)) == 1:
        return bare[0], None
    shown = " ".join(" ".join(own).split())
    return None, (shown if len(shown) <= _SHOWN else f"... {shown[-_SHOWN:]}") or None


def _texts(cell: dict[str, Any]) -> Iterator[str]:
    for output in cell["outputs"]:
        data = output.get("data")
        yield without_escapes(joined(output.get("text"))[:100_000])
        yield without_escapes(joined(data.get("text/plain"))[:100_000]) if isinstance(data, dict) else ""


def _of_4_2(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The code cells below the heading of 4.2, or that name its functions."""
    chosen, question = [], None
    for cell in cells:
        if cell["cell_type"] == "markdown" and (headings := HEADING.findall(cell["source"])):
            question = headings[-1]
        elif cell["cell_type"] == "code" and (
            question == "4.2" or re.search(r"\bevaluat\w*_4_2|\bevaluate_pipeline|\bpipeline_4_2", cell["source"])
        ):
            chosen.append(cell)
    return chosen


def _share(text: str) -> float | None:
    value = float(text.rstrip(" %").replace(",", ".")) / (100 if text.endswith("%") else 1)
    return value if 0 <= value <= 1 else None
