"""Reads what a hand-in says, out of its syntax trees and stored outputs; runs none of it."""

import ast
import base64
import binascii
import inspect
import json
import re
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from svhn.errors import one_line
from svhn.rubric.questions import BY_NUMBER

PROJECT_NOTEBOOK = "Assignment3.ipynb"
_NAMES = ("your_name", "student_name", "full_name", "name", "author")
_IDS = ("student_id", "student_number", "your_id", "student_nr", "studentnumber")
_STUDENT = re.compile(r"^Student: (.{1,100}?) \((\w{1,20})\)\s*$", re.M)
_MODIFIED = re.compile(r"^Last modified: (\d{4}-\d\d-\d\d[ \d:]{0,9})", re.M)
_EVALUATION = re.compile(r"^Evaluation: *([01]?\.\d+|[01])\b", re.M)
_HEADING = re.compile(rf"^#+ .*?\b({'|'.join(map(re.escape, BY_NUMBER))})\b", re.M)
_PNG = b"\x89PNG\r\n\x1a\n"
# Of a plot in base64, and of all; and how many of a question.
_PLOT_BYTES, _ALL_PLOTS_BYTES = 3_000_000, 40_000_000
_PLOTS = 20


def read_written(notebooks: list[Path], written: list[Path]) -> dict[str, Any]:
    """Name, number, answers, date, stated accuracy of 4.2 and plots of a hand-in.

    Args:
        notebooks: Of the hand-in; of several, only one named Assignment3.ipynb is read.
        written: Its `answers.py` and `solution.py`.

    Returns:
        `student` (`name`, `id`), `answers` (question to `text`, `characters`, `limit`, `where`), `date` (`value`,
        `source`), `evaluation_4_2` (a share or None), `plots` (`question`, `png` in base64), and `findings`, one line
        for each thing that is missing or unreadable.
    """
    findings: list[str] = []
    values: dict[str, tuple[Any, str]] = {}
    cells = _read_notebook(notebooks, findings)
    for number, cell in enumerate(cells, start=1):
        if cell["cell_type"] == "code":
            _collect(_python(_source(cell)), f"{cell['where']}, cell {number}", values, findings)
    for path in written:
        in_file: dict[str, tuple[Any, str]] = {}
        _collect(_text(path, findings), path.name, in_file, findings)
        for name, (value, where) in in_file.items():
            # Answers written in the notebook may come with `answers.py` as it was released, all empty.
            blank = isinstance(value, str) and not value.strip()
            if not (blank and name in values):
                values[name] = value, where
    outputs = "\n".join(_printed(cells))
    return {
        "student": _student(values, outputs, findings),
        "answers": _answers(values, findings),
        "date": _date(outputs, [*notebooks, *written]),
        "evaluation_4_2": _evaluation(outputs),
        "plots": list(_plots(cells, findings)),
        "findings": findings,
    }


def _read_notebook(notebooks: list[Path], findings: list[str]) -> list[dict[str, Any]]:
    chosen = next((path for path in notebooks if path.name == PROJECT_NOTEBOOK), None)
    if len(notebooks) > 1:
        names = ", ".join(path.name for path in notebooks)
        read = (
            f"only {PROJECT_NOTEBOOK} was read" if chosen else f"none was read; name the right one {PROJECT_NOTEBOOK}"
        )
        findings.append(f"{len(notebooks)} notebooks were handed in ({names}): {read}")
    elif notebooks:
        chosen = notebooks[0]
    else:
        findings.append("no notebook was handed in")
    if chosen is None:
        return []
    text = _text(chosen, findings)
    try:
        cells = json.loads(text)["cells"]
        valid = [cell for cell in cells if isinstance(cell, dict) and cell.get("cell_type") in ("code", "markdown")]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        findings.append(f"{chosen.name} is not a readable notebook ({one_line(error)})")
        return []
    return [cell | {"where": chosen.name} for cell in valid]


def _text(path: Path, findings: list[str]) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        findings.append(f"{path.name} is not UTF-8 text (byte {error.start:,}); it was read as Latin-1")
        return content.decode("latin-1")


def _source(cell: dict[str, Any]) -> str:
    return _joined(cell.get("source"))


def _joined(text: Any) -> str:
    parts = text if isinstance(text, list) else [text]
    return "".join(part for part in parts if isinstance(part, str))


def _python(source: str) -> str:
    """A cell's Python: what only IPython understands becomes `pass`, so that line numbers stay.

    A line of a text or a comment may look like that, too: so nothing is replaced where the cell is Python as it is, and
    questions (`plt.plot?`) only where it is not without its commands (`%matplotlib inline`, `!ls`).
    """
    if source.lstrip().startswith("%%"):
        return ""
    tried = source
    for pattern in (r"^([ \t]*+)[%!].*", r"^([ \t]*+)(?:\?.*|.*\?[ \t]*)$"):
        if _parses(tried):
            break
        tried = re.sub(pattern, r"\1pass", tried, flags=re.M)
    return tried


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _collect(source: str, where: str, values: dict[str, tuple[Any, str]], findings: list[str]) -> None:
    """Notes the constants that a source assigns at its top level; a later one replaces or lengthens an earlier one."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        findings.append(f"{where}{line}: is not Python ({one_line(getattr(error, 'msg', None) or error)})")
        return
    for name, node, lengthens in _assignments(tree):
        if not _is_wanted(name):
            continue
        value, earlier = _constant(node), values.get(name, (None, ""))[0]
        if lengthens:
            value = earlier + value if isinstance(earlier, str) and isinstance(value, str) else None
        values[name] = (value, where)


def _assignments(tree: ast.Module) -> Iterator[tuple[str, ast.expr, bool]]:
    """The names that are assigned at top level, what is, and whether it is added to what was there (`+=`)."""
    for statement in tree.body:
        lengthens = isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Add)
        if isinstance(statement, ast.Assign):
            pairs = [(target, statement.value) for target in statement.targets]
        elif lengthens or (isinstance(statement, ast.AnnAssign) and statement.value is not None):
            pairs = [(statement.target, statement.value)]
        else:
            continue
        for target, value in pairs:
            several = isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
            for name, node in zip(target.elts, value.elts, strict=False) if several else [(target, value)]:
                if isinstance(name, ast.Name):
                    yield name.id, node, lengthens


def _is_wanted(name: str) -> bool:
    return name in _NAMES or name in _IDS or name.startswith("answer_q_")


def _constant(node: ast.expr) -> str | int | None:
    """The value of a text or number, or of texts put together out of constants; None for anything else."""
    if isinstance(node, ast.Constant) and type(node.value) in (str, int):
        # A number of thousands of digits is nobody's, and cannot be written as text.
        return node.value if isinstance(node.value, str) or node.value.bit_length() < 100 else None
    if isinstance(node, ast.JoinedStr) and all(isinstance(part, ast.Constant) for part in node.values):
        return "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _constant(node.left), _constant(node.right)
        if isinstance(left, str) and isinstance(right, str):
            return left + right
    return _called(node) if isinstance(node, ast.Call) and not node.keywords else None


# Ways to lay out a long text, by name: of methods, and of functions of `textwrap` and `inspect`.
_METHODS = {"strip": str.strip, "lstrip": str.lstrip, "rstrip": str.rstrip}
_FUNCTIONS = {"dedent": textwrap.dedent, "cleandoc": inspect.cleandoc}


def _called(node: ast.Call) -> str | None:
    """What `text.strip()`, `dedent(text)` or `" ".join([text, text])` of constants gives."""
    name = getattr(node.func, "attr", getattr(node.func, "id", None))
    owner = _constant(node.func.value) if isinstance(node.func, ast.Attribute) else None
    if isinstance(owner, str) and name in _METHODS and not node.args:
        return _METHODS[name](owner)
    if len(node.args) != 1:
        return None
    (argument,) = node.args
    if isinstance(owner, str) and name == "join" and isinstance(argument, ast.List | ast.Tuple):
        parts = [_constant(part) for part in argument.elts]
        return owner.join(parts) if all(isinstance(part, str) for part in parts) else None
    if name in _FUNCTIONS and isinstance(text := _constant(argument), str):
        return _FUNCTIONS[name](text)
    return None


def _student(values: dict[str, tuple[Any, str]], outputs: str, findings: list[str]) -> dict[str, str | None]:
    def first(names: tuple[str, ...]) -> str | None:
        found = [str(values[name][0]).strip() for name in names if name in values and values[name][0] is not None]
        return next((text[:200] for text in found if text), None)

    student = {"name": first(_NAMES), "id": first(_IDS)}
    if printed := _STUDENT.search(outputs):
        student = {"name": student["name"] or printed[1], "id": student["id"] or printed[2]}
    missing = [word for word, key in (("name", "name"), ("student number", "id")) if not student[key]]
    if missing:
        findings.append(f"no {' and no '.join(missing)} was found (your_name, student_id)")
    return student


def _answers(values: dict[str, tuple[Any, str]], findings: list[str]) -> dict[str, dict[str, Any]]:
    answers = {}
    named = {number: f"answer_q_{question.identifier}" for number, question in BY_NUMBER.items()}
    if missing := [name for name in named.values() if name not in values]:
        which = "all of them" if len(missing) == len(named) else ", ".join(missing)
        findings.append(f"written answers are missing: {which}")
    for question, name in named.items():
        if name not in values:
            continue
        value, where = values[name]
        if not isinstance(value, str):
            findings.append(f"{name} ({where}) is computed, so it cannot be read without running the hand-in")
            continue
        # The length is that of the text handed in; what indents a triple-quoted string is no part of it.
        text = "\n".join(line.strip() for line in value.strip().splitlines())
        limit = BY_NUMBER[question].answer_limit
        if not text:
            findings.append(f"{name} ({where}) is empty")
        elif len(text) > limit:
            findings.append(f"{name} has {len(text):,} characters, {len(text) - limit:,} over the limit of {limit}")
        answers[question] = {"text": text[:20_000], "characters": len(text), "limit": limit, "where": where}
    return answers


def _date(outputs: str, paths: list[Path]) -> dict[str, str] | None:
    if printed := _MODIFIED.findall(outputs):
        return {"value": printed[-1].strip(), "source": "the notebook's stored output"}
    if not paths:
        return None
    youngest = max(path.stat().st_mtime for path in paths)
    value = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(youngest))
    return {"value": value, "source": "the youngest file's time, which copying may have changed"}


def _evaluation(outputs: str) -> float | None:
    stated = [float(text) for text in _EVALUATION.findall(outputs)]
    return stated[-1] if stated and stated[-1] <= 1 else None


def _outputs(cell: dict[str, Any]) -> Iterator[dict[str, Any]]:
    outputs = cell.get("outputs")
    yield from (item for item in (outputs if isinstance(outputs, list) else []) if isinstance(item, dict))


def _printed(cells: list[dict[str, Any]]) -> Iterator[str]:
    for cell in cells:
        for output in _outputs(cell):
            data = output.get("data")
            yield _joined(output.get("text"))[:100_000]
            yield _joined(data.get("text/plain"))[:100_000] if isinstance(data, dict) else ""


def _plots(cells: list[dict[str, Any]], findings: list[str]) -> Iterator[dict[str, str]]:
    """The stored plots under each question's heading, for the person who marks them; as many of each as fit."""
    question = None
    numbers, left_out, room = Counter[str](), Counter[str](), _ALL_PLOTS_BYTES
    for cell in cells:
        if cell["cell_type"] == "markdown" and (headings := _HEADING.findall(_source(cell))):
            question = headings[-1]
        for output in _outputs(cell):
            data = output.get("data")
            png = _joined(data.get("image/png")) if isinstance(data, dict) else ""
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
