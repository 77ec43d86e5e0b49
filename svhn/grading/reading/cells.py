"""A notebook's cells as people count them, their code as Python; none of it is run."""

import ast
import json
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

from svhn.grading.reading.causes import cause_of
from svhn.grading.reading.constants import parse
from svhn.grading.reading.files import reason_for_no_data
from svhn.grading.reading.names import shown_name
from svhn.rubric.questions import BY_NUMBER

# Magics over a whole cell whose text is Python that is run where it stands.
_PYTHON_MAGICS = {"time", "timeit", "capture", "prun", "memit", "mprun", "lprun", "notify", "python", "python3", "px",
                  "snakeviz", "scalene", "pyinstrument", "skip"}  # fmt: skip
# IPython reads a cell anew for each command in it.
_LONGEST, _MOST_COMMANDS = 200_000, 100
_COMMAND = re.compile(r"^([ \t]*+)[%!].*", re.M)
_QUESTION = re.compile(r"^([ \t]*+)(?:\?.*|.*\?[ \t]*)$", re.M)
# A heading of a question, "## Question 1.1", "#Q1.1", "<h2>1.1</h2>" or a line "**1.1 Baseline**".
_NUMBERED = rf"(?<![\d.])({'|'.join(map(re.escape, BY_NUMBER))})(?!\.?\d)"
HEADING = re.compile(rf"^[ \t]*(?:#+|<h\d[^>\n]*>|(?:\*\*|__)(?=[^*\n]*(?:\*\*|__)[: ]*$))[^\n]*?{_NUMBERED}", re.M)
_BROKEN = (SyntaxError, ValueError, RecursionError, MemoryError)


def decoded(path: Path, findings: list[str]) -> str:
    """The text of a file in UTF-8, or in the encoding that its first bytes say, else in Windows's code page."""
    content, name = path.read_bytes(), shown_name(path.name)
    if not (found := json.detect_encoding(content)).startswith("utf-8"):
        findings.append(f"{name} is not UTF-8 text but {found[:6].upper()}, and was read as that")
        return content.decode(found, errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        for encoding, called in (("cp1252", "Windows-1252"), ("latin-1", "Latin-1")):
            try:
                text = content.decode(encoding)
            except UnicodeDecodeError:
                continue
            findings.append(f"{name} is not UTF-8 text (byte {error.start:,}); it was read as {called}")
            return text
        raise


def read_cells(path: Path, findings: list[str]) -> list[dict[str, Any]] | None:
    """The cells of a notebook of any format.

    Args:
        path: Of the notebook.
        findings: Gets a line where it is not readable.

    Returns:
        For each cell `cell_type` ("code", "markdown" or another), `source`, `outputs` (as format 4 has them) and
        `where` (the notebook and the cell's number among all cells, from 1); None where the file is no notebook.
    """
    if reason := reason_for_no_data(path):
        findings.append(reason)
        return None
    text = decoded(path, findings)
    try:
        content = json.loads(text)
        cells = content["cells"] if "cells" in content else _cells_of_old(content["worksheets"])
        if not isinstance(cells, list):
            raise TypeError("its cells are no list")
    except (*_BROKEN, KeyError, TypeError) as error:
        missing = "it has no cells" if isinstance(error, KeyError) else cause_of(error)
        findings.append(f"{shown_name(path.name)} is not a readable notebook ({missing}); save it anew with Jupyter")
        return None
    name = shown_name(path.name)
    return [
        {
            "cell_type": str(cell.get("cell_type")),
            "source": joined(cell.get("source")).lstrip("\ufeff\u200b"),  # As pasted from a web page.
            "outputs": [item for item in as_list(cell.get("outputs")) if isinstance(item, dict)],
            "where": f"{name}, cell {number}",
        }
        for number, cell in enumerate(cells, start=1)
        if isinstance(cell, dict)
    ]


def joined(text: Any) -> str:
    """A text that a notebook stores whole or as a list of lines."""
    parts = text if isinstance(text, list) else [text]
    return "".join(part for part in parts if isinstance(part, str))


def python_of(source: str) -> str:
    """A cell's code as Python: commands of IPython become calls that nobody makes.

    Python stays as it is: a line of a text or a comment may look like a command, too. A cell under a
    magic whose text is Python, as `%%time` or `%%writefile answers.py`, is that text. One under any other, as `%%bash`,
    is empty.
    """
    for _ in range(5):
        if _parses(source):
            return source
        source = _transformed(source)
        cell = re.match(r"\s*%%(\w+)([^\n]*)\n?(.*)", source, re.S)
        if cell is None:
            return source
        writes = cell[1] in ("writefile", "file") and cell[2].strip(" \r'\"").endswith(".py")
        source = cell[3] if writes or cell[1] in _PYTHON_MAGICS else ""
    return source


def _transformed(source: str) -> str:
    """A cell with its commands replaced; one under a magic is left to be told from that."""
    if re.match(r"\s*%%\w", source):
        return source.lstrip()
    commands = len(_COMMAND.findall(source)) + len(_QUESTION.findall(source))
    if len(source) < _LONGEST and commands < _MOST_COMMANDS:
        try:
            changed = TransformerManager().transform_cell(source)
            if _parses(changed):
                return changed
        except (*_BROKEN, tokenize.TokenError):
            pass
    for pattern in (_COMMAND, _QUESTION):
        source = pattern.sub(r"\1pass", source)
        if _parses(source):
            break
    return source


def _parses(source: str) -> bool:
    try:
        parse(source)
    except _BROKEN:
        return False
    return True


def problem_of(source: str) -> tuple[ast.Module | None, str]:
    """The syntax tree of a source, or None and the mistake in it, with its line."""
    try:
        return parse(source), ""
    except _BROKEN as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        return None, f"{line}: is not Python ({cause_of(getattr(error, 'msg', None) or error)})"


def as_list(value: Any) -> list[Any]:
    """A list as it is; empty where a stranger's file has anything else in its place."""
    return value if isinstance(value, list) else []


def _cells_of_old(worksheets: Any) -> list[dict[str, Any]]:
    """The cells of a notebook in format 2 or 3, as format 4 has them."""
    return [
        cell | {"source": _source_of_old(cell), "outputs": list(_outputs_of_old(cell)),
                "cell_type": "markdown" if cell.get("cell_type") == "heading" else cell.get("cell_type")}
        for sheet in as_list(worksheets) if isinstance(sheet, dict)
        for cell in as_list(sheet.get("cells")) if isinstance(cell, dict)
    ]  # fmt: skip


def _source_of_old(cell: dict[str, Any]) -> str:
    if cell.get("cell_type") == "heading":
        return f"{'#' * max(1, min(6, int(cell.get('level') or 1)))} {joined(cell.get('source'))}"
    return joined(cell.get("input", cell.get("source")))


def _outputs_of_old(cell: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for output in as_list(cell.get("outputs")):
        if isinstance(output, dict):
            data = {"text/plain": output.get("text"), "image/png": output.get("png")}
            stream = output.get("output_type") == "stream"
            yield output if stream else output | {"data": data, "text": None}
