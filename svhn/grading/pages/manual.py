"""The marks of a person: one table that says what waits for them, and that grading fills no mark into."""

import csv
import io
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from svhn.errors import SVHNError
from svhn.files import atomic_path
from svhn.grading.pages.reports import cell
from svhn.rubric.questions import ROWS

COLUMNS = ("handin", "row", "mark", "comment", "reason")
_ROW_NAMES = {row.name for row in ROWS}
_BOM = b"\xef\xbb\xbf"
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
    table = _table(text)
    for line in _lines(table, path):
        handin, row = _handin(line, known), (line["row"] or "").strip()
        if not handin:
            continue
        where = f"{path}, line {table.line_num}"
        if row not in _ROW_NAMES:
            raise SVHNError(f"{where}: there is no row {row!r}; it must be one of {', '.join(sorted(_ROW_NAMES))}")
        mark, comment = _mark(line["mark"], where), (line.get("comment") or "").strip()
        if handin not in known and (mark is not None or comment):
            raise SVHNError(f"{where}: there is no hand-in {handin!r} to mark; write its name as index.html does")
        if row in entered.setdefault(handin, {}):
            raise SVHNError(f"{where}: {handin}, {row} was marked before; keep one of the two lines")
        entered[handin][row] = mark, comment
    return entered


def list_waiting(path: Path, waiting: Mapping[str, Mapping[str, str]], known: Collection[str]) -> None:
    """Gives the table one line for every row of marks that waits for a person, with the reason why it does.

    Lines in which a person wrote something, and those of other hand-ins, stay byte for byte as they are. Lines without
    mark and comment are brought up to date: they get the present reason, or go where nothing waits any more.

    Args:
        path: Of the table, made where it is missing.
        waiting: By hand-in that was graded, the reasons by row.
        known: The names of the hand-ins that there are.

    Raises:
        SVHNError: As `read_manual` does, or the table cannot be written.
    """
    read_manual(path, known)  # It has no slips.
    text = _text(path) if path.exists() else ",".join(COLUMNS) + "\n"
    raw, table = list(io.StringIO(text, newline="")), _table(text)
    kept, listed, start = [_header(raw[0], table)], set[tuple[str, str]](), 1
    for line in _lines(table, path):
        own, start = "".join(raw[start : table.line_num]), table.line_num
        name, row = _handin(line, known), (line["row"] or "").strip()
        if name in waiting and not any((line.get(column) or "").strip() for column in ("mark", "comment")):
            reason = waiting[name].get(row)
            if reason is None:
                continue
            own = own if line.get("reason") == cell(reason) else _line(table, line | {"reason": cell(reason)})
        listed.add((name, row))
        kept.append(own)
    kept.append("".join(raw[start:]))
    new = [(name, row) for name, rows in waiting.items() for row in rows if (name, row) not in listed]
    kept += [_line(table, {"handin": name, "row": row, "reason": cell(waiting[name][row])}) for name, row in new]
    *before, last = [part for part in kept if part]
    _write(path, "".join(part if part.endswith(("\n", "\r")) else f"{part}\n" for part in before) + last)


def _line(table: csv.DictReader, values: Mapping[str, str | None]) -> str:
    """A line of a table, with its columns in their order."""
    columns = [*(table.fieldnames or ()), *({"reason"} - set(table.fieldnames or ()))]
    made = io.StringIO()
    csv.writer(made, delimiter=table.reader.dialect.delimiter, lineterminator="\n").writerow(
        [values.get(column) or "" for column in columns]
    )
    return made.getvalue()


def _write(path: Path, text: str) -> None:
    former = path.read_bytes() if path.exists() else None
    content = (_BOM if former and former.startswith(_BOM) else b"") + text.encode()
    if content != former:
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)


def _header(line: str, table: csv.DictReader) -> str:
    """The first line, with the column of reasons; tables of an earlier grading may not have it."""
    if "reason" in (table.fieldnames or ()):
        return line
    bare = line.rstrip("\r\n")
    return f"{bare}{table.reader.dialect.delimiter}reason{line[len(bare) :]}"


def _handin(line: Mapping[str, str | None], known: Collection[str]) -> str:
    """The hand-in of a line, also where a spreadsheet took the zeros from its name."""
    handin = (line["handin"] or "").strip()
    alike = [name for name in known if handin.isdigit() and name.lstrip("0") == handin.lstrip("0")]
    return alike[0] if handin not in known and len(alike) == 1 else handin


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


def _table(text: str) -> csv.DictReader:
    head = text.partition("\n")[0]
    delimiter = ";" if head.count(";") > head.count(",") else ","
    return csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SVHNError(f"{path} is not UTF-8 text; save it as CSV in UTF-8") from error
    except OSError as error:
        raise SVHNError(f"{path} cannot be read ({error.strerror}); change its rights") from error


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
