"""The marks of a person: one table, which grading reads and lengthens, and never changes."""

import csv
import io
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from svhn.errors import SVHNError
from svhn.files import atomic_path
from svhn.rubric.questions import ROWS

COLUMNS = ("handin", "row", "mark", "comment")
_ROW_NAMES = {row.name for row in ROWS}
Entered = dict[str, dict[str, tuple[float | None, str]]]


def read_manual(path: Path, known: Collection[str]) -> Entered:
    """Reads the table, as any spreadsheet saves it: commas or semicolons, 7.5 or 7,5, 12345 for 0012345.

    Args:
        path: Of the table.
        known: The names of the hand-ins that there are.

    Returns:
        By hand-in and row: mark 0..10, or None where the cell is empty, and comment.

    Raises:
        SVHNError: A line has an unknown row or a mark that is no number 0..10, says what another line says, or marks a
            hand-in that there is not.
    """
    entered: Entered = {}
    if not path.exists():
        return entered
    text = _text(path)
    table = csv.DictReader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    for line in _lines(table, path):
        handin, row = (line["handin"] or "").strip(), (line["row"] or "").strip()
        if not handin:
            continue
        where = f"{path}, line {table.line_num}"
        if row not in _ROW_NAMES:
            raise SVHNError(f"{where}: there is no row {row!r}; it must be one of {', '.join(sorted(_ROW_NAMES))}")
        mark, comment = _mark(line["mark"], where), (line.get("comment") or "").strip()
        if handin not in known:
            alike = [name for name in known if handin.isdigit() and name.lstrip("0") == handin.lstrip("0")]
            if len(alike) != 1 and (mark is not None or comment):
                raise SVHNError(f"{where}: there is no hand-in {handin!r} to mark; write its name as index.html does")
            handin = alike[0] if len(alike) == 1 else handin
        if row in entered.setdefault(handin, {}):
            raise SVHNError(f"{where}: {handin}, {row} was marked before; keep one of the two lines")
        entered[handin][row] = mark, comment
    return entered


def add_missing(path: Path, handins: Iterable[str], known: Collection[str]) -> None:
    """Appends an empty line for every row of these hand-ins that a person has to mark; leaves all else as it is.

    Raises:
        SVHNError: As `read_manual` does.
    """
    entered = read_manual(path, known)
    missing = [
        (name, row.name, "", "")
        for name in handins
        for row in ROWS
        if not row.calibrated and row.name not in entered.get(name, {})
    ]
    if not missing:
        return
    text = _text(path) if path.exists() else ",".join(COLUMNS) + "\n"
    added = io.StringIO()
    csv.writer(added, delimiter=_delimiter(text), lineterminator="\n").writerows(missing)
    with atomic_path(path) as temporary:
        kept = path.read_bytes() if path.exists() else text.encode()
        temporary.write_bytes(kept + (b"" if kept.endswith(b"\n") else b"\n") + added.getvalue().encode())


def _lines(table: csv.DictReader, path: Path) -> Iterator[dict[str, str]]:
    """The table's lines; a quotation mark that nobody closed is an error, or it would swallow what follows it."""
    start = 1
    try:
        if not {"handin", "row", "mark"} <= set(table.fieldnames or ()):
            raise SVHNError(f"{path}: the first line must name the columns {','.join(COLUMNS)}; put them back")
        start = 2
        for line in table:
            start = table.line_num + 1
            yield line
    except csv.Error as error:
        raise SVHNError(f"{path}, line {start}: {error}; close its quotation marks") from error


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SVHNError(f"{path} is not UTF-8 text; save it as CSV in UTF-8") from error
    except OSError as error:
        raise SVHNError(f"{path} cannot be read ({error.strerror}); change its rights") from error


def _delimiter(text: str) -> str:
    head = text.partition("\n")[0]
    return ";" if head.count(";") > head.count(",") else ","


def _mark(text: str | None, where: str) -> float | None:
    text = (text or "").strip().replace(",", ".")
    if not text:
        return None
    try:
        mark = float(text)
    except ValueError:
        mark = -1
    if not 0 <= mark <= 10:
        raise SVHNError(f"{where}: {text!r} is no mark; it must be a number from 0 to 10, or empty")
    return mark
