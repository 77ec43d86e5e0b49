"""The table for a person's marks: grading lists the rows that wait for one, and fills in no mark."""

import codecs
import csv
import io
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from svhn.errors import SVHNError
from svhn.files import atomic_path
from svhn.grading.pages.reports import cell
from svhn.rubric.questions import ROWS

COLUMNS = ("handin", "row", "mark", "comment", "reason")
_ROW_NAMES = {row.name for row in ROWS}
# The encodings in which spreadsheets save text, by how it begins.
_ENCODINGS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
# "03. Jan", "3-feb" or "03.01.2026", for which a spreadsheet may take "3.1" and "3.2".
_DATE = re.compile(r"0?(\d)[-./ ]{1,2}(?:0?([1-9])0?|([jfm])\w*)\.?(?:[-./ ]\d{2,4})?", re.I)
_MONTHS = {"j": "1", "f": "2", "m": "3"}
Entered = dict[str, dict[str, tuple[float | None, str]]]


@dataclass(frozen=True)
class _Line:
    """A line of the table: its text as it stands there, the number of its last line, and its cells by column."""

    raw: str
    number: int
    cells: list[str]
    values: dict[str, str]

    @property
    def entered(self) -> bool:
        """Whether a person wrote something."""
        return bool(self.values["mark"] or self.values.get("comment"))


@dataclass(frozen=True)
class _Table:
    """A table as a spreadsheet saved it, so that it can be written in the same way."""

    head: str
    columns: list[str]
    delimiter: str
    lines: list[_Line]
    end: str = ""
    mark: bytes = b""


def read_manual(path: Path, known: Collection[str]) -> Entered:
    """Reads the table, as any spreadsheet saves it.

    Cells may be divided by commas, semicolons or tabs, in UTF-8 or UTF-16. A mark may be 7.5 or 7,5; the hand-in
    0012345 may have become 12345, and the row 3.1 a number or a date.

    Args:
        path: Of the table.
        known: The names of the hand-ins that there are.

    Returns:
        By hand-in and row: mark 0..10, or None where the cell is empty, and comment.

    Raises:
        SVHNError: A line has an unknown row or a mark that is no number 0..10, is there twice, marks an unknown
            hand-in, or has more cells than columns.
    """
    return _entered(_read(path), path, _by_form(known)) if path.exists() else {}


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
    table = _read(path) if path.exists() else _Table(",".join(COLUMNS) + "\n", list(COLUMNS), ",", [])
    forms = _by_form(known)
    _entered(table, path, forms)  # It has no slips.
    kept, listed = [_head(table)], set[tuple[str, str]]()
    for line in table.lines:
        name, row = _named(line.values["handin"], forms), _row_name(line.values["row"])
        own = line.raw
        if name in waiting and not line.entered:
            reason = waiting[name].get(row)
            if reason is None:
                continue
            own = own if line.values.get("reason") == cell(reason) else _line(table, line.cells, {"reason": reason})
        listed.add((name, row))
        kept.append(own)
    kept.append(table.end)
    new = [(name, row) for name, rows in waiting.items() for row in rows if (name, row) not in listed]
    kept += [_line(table, [], {"handin": name, "row": row, "reason": waiting[name][row]}) for name, row in new]
    *before, last = [part for part in kept if part]
    text = "".join(part if part.endswith(("\n", "\r")) else f"{part}\n" for part in before) + last
    content = table.mark + text.encode(_ENCODINGS.get(table.mark, "utf-8"))
    if not path.exists() or content != path.read_bytes():
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)


def _entered(table: _Table, path: Path, forms: Mapping[str, str]) -> Entered:
    entered: Entered = {}
    for line in table.lines:
        handin, row = _named(line.values["handin"], forms), _row_name(line.values["row"])
        where = f"{path}, line {line.number}"
        if not handin and not line.entered:
            continue
        if row not in _ROW_NAMES:
            raise SVHNError(f"{where}: there is no row {row!r}; it must be one of {', '.join(sorted(_ROW_NAMES))}")
        mark, comment = _mark(line.values["mark"], where), line.values.get("comment", "")
        if table.delimiter == "," and re.fullmatch(r"\d+", line.values["mark"]) and re.fullmatch(r"\d+", comment):
            half = f"{line.values['mark']},{comment}"
            raise SVHNError(f"{where}: {half} are two cells here; write a mark with a point, or put quotation marks")
        if handin not in forms and line.entered:
            raise SVHNError(f"{where}: there is no hand-in {handin!r} to mark; write its name as index.html does")
        if row in entered.setdefault(handin, {}):
            raise SVHNError(f"{where}: {handin}, {row} was marked before; keep one of the two lines")
        entered[handin][row] = mark, comment
    return entered


def _line(table: _Table, cells: list[str], values: Mapping[str, str]) -> str:
    """A line of a table, with some of its cells changed."""
    columns = [*table.columns, *({"reason"} - set(table.columns))]
    cells = [*cells, *[""] * (len(columns) - len(cells))]
    for column, text in values.items():
        cells[columns.index(column)] = cell(text)
    made = io.StringIO()
    end = table.head[len(table.head.rstrip("\r\n")) :] or "\n"
    csv.writer(made, delimiter=table.delimiter, lineterminator=end).writerow(cells)
    return made.getvalue()


def _head(table: _Table) -> str:
    """The first line, with the column of reasons; tables of an earlier grading may not have it."""
    if "reason" in table.columns:
        return table.head
    bare = table.head.rstrip("\r\n")
    return f"{bare}{table.delimiter}reason{table.head[len(bare) :]}"


def _by_form(known: Iterable[str]) -> dict[str, str]:
    """Names by every form in which a spreadsheet may give one back; a form that several have stands for none."""
    forms = defaultdict[str, set[str]](set)
    for name in known:
        for form in _forms(name):
            forms[form].add(name)
    return {form: min(names) for form, names in forms.items() if len(names) == 1} | {name: name for name in known}


def _forms(name: str) -> Iterator[str]:
    """A name as it may come back: composed, without its first zeros, or with UTF-8 taken for Windows' own letters."""
    yield unicodedata.normalize("NFC", name)
    if name.isdecimal():
        yield str(int(name))
    with suppress(UnicodeDecodeError):
        yield name.encode().decode("cp1252")


def _named(text: str, forms: Mapping[str, str]) -> str:
    """The hand-in that a cell names, or the cell's own text where there is none."""
    return next((forms[form] for form in (text, *_forms(text)) if form in forms), text)


def _row_name(text: str) -> str:
    found = _DATE.fullmatch(text.replace(",", "."))
    return f"{found[1]}.{found[2] or _MONTHS[found[3].lower()]}" if found else text


def _read(path: Path) -> _Table:
    mark, text = _decoded(path)
    raw = list(io.StringIO(text, newline="")) or [""]
    delimiter = max(",;\t", key=raw[0].count)
    columns, lines, start = list[str](), list[_Line](), 0
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns, start = [name.strip().casefold() for name in next(reader, [])], 1
        if not {"handin", "row", "mark"} <= set(columns):
            raise SVHNError(f"{path}: the first line must name the columns {','.join(COLUMNS)}; put them back")
        first = start = reader.line_num
        for cells in reader:
            filled = [text.strip() for text in cells] + [""] * len(columns)
            values = dict(zip(columns, filled, strict=False))
            lines.append(_Line("".join(raw[start : reader.line_num]), reader.line_num, cells, values))
            start = reader.line_num
            if delimiter == "," and any(filled[len(columns) :]):
                raise SVHNError(
                    f"{path}, line {start}: it has more cells than the first line; put a comment in quotation marks"
                )
    except csv.Error as error:
        raise SVHNError(f"{path}, line {start + 1}: {error}; close its quotation marks") from error
    return _Table("".join(raw[:first]), columns, delimiter, lines, "".join(raw[start:]), mark)


def _decoded(path: Path) -> tuple[bytes, str]:
    """A file's text, and the mark of its encoding that it begins with."""
    try:
        content = path.read_bytes()
        mark = next((mark for mark in _ENCODINGS if content.startswith(mark)), b"")
        return mark, content[len(mark) :].decode(_ENCODINGS.get(mark, "utf-8"))
    except UnicodeDecodeError as error:
        raise SVHNError(f"{path} is not UTF-8 text; save it as CSV in UTF-8 (in Excel: CSV UTF-8)") from error
    except OSError as error:
        raise SVHNError(f"{path} cannot be read ({error.strerror}); change its rights") from error


def _mark(text: str, where: str) -> float | None:
    if not text:
        return None
    plain = text.replace(",", ".")
    if not re.fullmatch(r"\d+\.?\d*|\.\d+", plain) or not 0 <= float(plain) <= 10:
        raise SVHNError(f"{where}: {text!r} is no mark; it must be a number from 0 to 10, or empty")
    return float(plain)
