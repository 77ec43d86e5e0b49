"""The verification report: the outputs of an executed notebook in the course's shape, as HTML and as plain text."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nbformat
from jinja2 import Environment, FileSystemLoader
from nbconvert.filters import ansi2html, strip_ansi

from svhn.backend import COMPUTED
from svhn.errors import SVHNError
from svhn.files import write_text
from svhn.learning.figures import CAPTION
from svhn.notebook.cells import QUESTION
from svhn.notebook.execution import named_plots
from svhn.notebook.results import read_figures, read_results

TEXT_COLUMNS = 100
# On a narrow screen a sentence of more columns is wrapped, and not shown smaller.
_WRAPPED = 60
_SHOWN = {"run", "answer"}
# The characters of a model's summary in Keras: the frame's lines, and the lines between two cells of a row.
_FRAME, _BETWEEN = "┏┡├└╭╰", "┃│"
# A bar of progress writes each of its states over the last.
_OVERWRITTEN = re.compile(r"[^\n]*\r(?!\n)")


@dataclass(frozen=True)
class Part:
    """A piece of the output of a question's cells.

    Attributes:
        kind: "text", "plot" or "answer".
        content: The text, or the plot as PNG in base64.
        name: The plot in words, for people who do not see it.
        file: The name of the plot's file, without its suffix.
        width: At which the plot is shown where there is room, None for its own.
    """

    kind: str
    content: str
    name: str = ""
    file: str = ""
    width: int | None = None


@dataclass
class Section:
    """One question's part of the report. Each line of `open` names a missing piece."""

    number: str
    title: str
    points: str
    parts: list[Part] = field(default_factory=list)
    open: list[str] = field(default_factory=list)


def write_report(
    notebook: nbformat.NotebookNode, folder: Path, title: str, last_modified: str, note: str | None = None
) -> list[Path]:
    """Writes `Submission.html` and `Submission.txt`.

    Args:
        notebook: The executed notebook, with tagged cells.
        folder: The folder to write to.
        title: The report's title.
        last_modified: The time of the hand-in's last change, as text.
        note: A remark for the reader of each written answer.

    Returns:
        The paths of the two files.

    Raises:
        SVHNError: The notebook was not executed.
    """
    if not any(cell.get("execution_count") for cell in notebook.cells):
        raise SVHNError("the notebook was not executed; execute it first: make run")
    sections = read_sections(notebook)
    digits, *more = _printed(notebook, "digits") or [""]
    computed = [line for line in more if line.startswith(COMPUTED)]
    head = _printed(notebook, "versions")[:1] + ([digits] if digits else []) + computed + ([note] if note else [])
    if still_open := [section.number for section in sections if section.open]:
        head.append(f"Still open: {', '.join(still_open)}")
    foot = [
        f"Running time: {notebook.metadata.get('svhn', {}).get('seconds', float('nan')):.2f} seconds",
        f"Last modified: {last_modified}",
        *_printed(notebook, "versions")[1:],
    ]
    page = load_template("report.html").render(
        title=title, head=head, sections=sections, foot=foot, note=note, ansi=ansi2html, blocks=blocks_of
    )
    html, text = folder / "Submission.html", folder / "Submission.txt"
    write_text(html, page)
    write_text(text, _as_text(title, head, sections, foot, note))
    return [html, text]


def note_on_answers(notebook: nbformat.NotebookNode, models: Path) -> str | None:
    """A remark where the written answers are about other digits than the executed notebook's, else None."""
    try:
        published, shown = read_results(models)["3.1"].data, read_figures(notebook)["3.1"].data
    except (SVHNError, ValueError, KeyError):
        return None
    if shown.fingerprint == published.fingerprint:
        return None
    return f"The written answers speak of the run on {published.name}; the figures here are of other digits."


def read_sections(notebook: nbformat.NotebookNode) -> list[Section]:
    """The questions of an executed notebook: the output of their `run` and `answer` cells, and their open pieces."""
    sections: list[Section] = []
    plots = {id(output): name for name, output in named_plots(notebook)}
    asked: dict[str, set[str]] = {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (question := QUESTION.search(cell.source)):
            sections.append(Section(question[1], question[2], question[3]))
        tags = set(cell.metadata.get("tags", ()))
        if cell.cell_type != "code" or not sections or not tags & _SHOWN:
            continue
        asked.setdefault(sections[-1].number, set()).update(tags & _SHOWN)
        for part in _outputs(cell, plots):
            is_answer = "answer" in tags and part.kind == "text"
            sections[-1].parts.append(Part("answer", part.content) if is_answer else part)
    for section in sections:
        answered = {part.kind == "answer" for part in section.parts}
        if False not in answered:
            section.open.append("Open: the cells of this question put nothing out yet.")
        if True not in answered and "answer" in asked.get(section.number, ()):
            section.open.append("Open: there is no written answer yet.")
    return sections


@dataclass(frozen=True)
class Block:
    """A piece of a printed text: lines, or a model's summary as rows of cells, whose first is its head."""

    text: str = ""
    rows: tuple[tuple[str, ...], ...] = ()

    @property
    def columns(self) -> int:
        """The least width in characters that keeps a table's rows whole; sentences may be wrapped."""
        lines = strip_ansi(self.text).splitlines()
        return max((len(line) if "  " in line.strip() else min(len(line), _WRAPPED) for line in lines), default=1)


def blocks_of(text: str) -> list[Block]:
    """Divides a printed text into summaries of models and the lines between them."""
    found: list[Block] = []
    lines: list[str] = []
    table: list[str] = []
    for line in [*text.splitlines(), ""]:
        framed = line.strip().startswith(tuple(_FRAME + _BETWEEN))
        if framed and lines:
            found.append(Block("\n".join(lines)))
            lines = []
        if not framed and table:
            found.append(Block(rows=tuple(_rows(table))))
            table = []
        (table if framed else lines).append(line)
    found.append(Block("\n".join(lines)))
    return [block for block in found if block.rows or block.text.strip()]


def _rows(table: list[str]) -> Iterator[tuple[str, ...]]:
    """The rows of a framed table. A cell that Keras broke over several lines becomes one again."""
    row: list[str] = []
    for line in table:
        if line.strip()[0] in _FRAME:
            if row:
                yield tuple(row)
            row = []
            continue
        cells = [cell.strip() for cell in line.strip().strip(_BETWEEN).replace("┃", "│").split("│")]
        row = [a + b for a, b in zip(row, cells, strict=True)] if len(row) == len(cells) else cells
    if row:
        yield tuple(row)


def _outputs(cell: nbformat.NotebookNode, plots: dict[int, str]) -> list[Part]:
    """Texts and plots of a cell in order, as a person saw them, without standard error."""
    found: list[Part] = []
    for output in cell.get("outputs", []):
        if output.get("metadata", {}).get(CAPTION):
            continue  # The plot has its words already.
        if output.output_type == "stream" and output.name == "stdout":
            # A kernel cuts printed text into pieces wherever it happens to flush.
            printed = found.pop().content if found and found[-1].kind == "text" else ""
            found.append(Part("text", _OVERWRITTEN.sub("", printed + output.text)))
        elif id(output) in plots:
            file = plots[id(output)]
            width = output.get("metadata", {}).get("image/png", {}).get("width")
            found.append(Part("plot", output.data["image/png"].strip(), _description(output, file), file, width))
        elif "text/plain" in output.get("data", {}):
            found.append(Part("text", output.data["text/plain"] + "\n"))
    return [replace(one, content=one.content.rstrip()) for one in found if one.content.strip()]


def _description(output: nbformat.NotebookNode, file: str) -> str:
    """A plot in words: the text that its cell gives, or else the name of its file."""
    metadata = output.get("metadata", {})
    said = metadata.get("alt") or metadata.get("image/png", {}).get("alt")
    if said:
        return str(said)
    if file.startswith("model_"):
        return f"Learning curves of {file}: loss and accuracy over the epochs, of training and validation digits"
    return file.replace("_", " ").replace("-", " ").capitalize()


def _printed(notebook: nbformat.NotebookNode, tag: str) -> list[str]:
    """The lines that the cell with a tag printed."""
    cells = [cell for cell in notebook.cells if tag in cell.metadata.get("tags", ())]
    parts = [part for cell in cells for part in _outputs(cell, {}) if part.kind == "text"]
    return [line for part in parts for line in part.content.splitlines()]


def _as_text(title: str, head: list[str], sections: list[Section], foot: list[str], note: str | None) -> str:
    lines = [title, "=" * len(title), *(wrapped for line in head for wrapped in _wrapped(line))]
    for section in sections:
        heading = f"Answer {section.number} ({section.points}p)"
        lines += ["", heading, "-" * len(heading)]
        for part in section.parts:
            if part.kind == "plot":
                lines += _wrapped(f"[plot: figures/{part.file}.png, {part.name}]")
            elif part.kind == "answer":
                lines += [*_wrapped(part.content), *(_wrapped(f"({note})") if note else []), ""]
            else:
                lines += [*_wrapped(strip_ansi(part.content)), ""]
        lines += section.open
    return "\n".join([*lines, "", *foot]) + "\n"


def _wrapped(text: str) -> list[str]:
    """A text's lines. Long sentences are wrapped, lines in columns stay as they are."""
    lines = []
    for line in text.splitlines():
        prose = len(line) > TEXT_COLUMNS and "  " not in line.strip()
        lines += textwrap.wrap(line, TEXT_COLUMNS) if prose else [line]
    return lines


def load_template(name: str) -> Any:
    """Loads a template of a page."""
    folder = Path(__file__).with_name("templates")
    environment = Environment(autoescape=True, loader=FileSystemLoader(folder), trim_blocks=True, lstrip_blocks=True)
    return environment.get_template(name)
