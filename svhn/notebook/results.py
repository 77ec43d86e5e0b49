"""The figures of a run, and those that are published: `models/results.json` and the README's table."""

import html
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
from IPython.display import display

from svhn.data.protocol import Split
from svhn.data.provenance import Provenance
from svhn.errors import SVHNError
from svhn.files import write_json, write_text
from svhn.learning.records import Record, load_record, stored_names
from svhn.notebook.cards import headline, share_with_interval, write_cards
from svhn.rubric.questions import MODELS, REFERENCE
from svhn.typed import from_json, read_json, to_json

# The published figures' file in the folder of the models, and the type of a notebook's output that holds figures.
RESULTS = "results.json"
FIGURES_MIME = "application/vnd.svhn.figures+json"
TABLE = re.compile(r"(<!-- results -->\n).*?(<!-- /results -->)", re.S)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The figures of one question.

    Attributes:
        question: "3.1".
        data: The digits that they were measured on.
        figures: Shares, 0..1, by name.
    """

    question: str
    data: Provenance
    figures: dict[str, float]


def show_figures(question: str, split: Split, **figures: float) -> None:
    """Shows measured figures with their digits, and puts them into the notebook's outputs for `read_figures`.

    Args:
        question: "3.1".
        split: The digits of this run.
        **figures: Shares 0..1, by name.
    """
    lines = [f"Measured on: {split.digits.description}"]
    lines += [f"{name.replace('_', ' ').capitalize()}: {value:.2%}" for name, value in figures.items()]
    content = to_json(Figures(question=question, data=split.provenance, figures=figures))
    display({FIGURES_MIME: content, "text/plain": "\n".join(lines)}, raw=True)


def read_figures(notebook: nbformat.NotebookNode) -> dict[str, Figures]:
    """The figures that an executed notebook shows, by question.

    Raises:
        ValueError: An output is damaged.
    """
    outputs = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [from_json(Figures, data[FIGURES_MIME]) for data in outputs if FIGURES_MIME in data]
    return {figures.question: figures for figures in shown}


def show_answer(answer: str) -> None:
    """Shows a written answer as a quotation, whose lines wrap wherever the notebook is shown."""
    display({"text/html": f"<blockquote>{html.escape(answer)}</blockquote>", "text/plain": answer}, raw=True)


def show_results(models: str | Path) -> None:
    """Shows the table of the stored models in a folder, with parameters, accuracies and those of the reference."""
    records = {name: load_record(models, name) for name in stored_names(models)}
    table = results_table(records, {})
    digits = {record.data.name for record in records.values() if record.data}
    note = (
        f"Measured on the stored files; validation and test digits of {', '.join(sorted(digits)) or 'no known digits'}."
    )
    display({"text/markdown": f"{table}\n\n{note}", "text/plain": f"{table}\n{note}"}, raw=True)


def write_results(notebook: nbformat.NotebookNode, models: Path, readme: Path) -> None:
    """Publishes the figures of an executed notebook: beside the models, with the models' cards, and in the README.

    Raises:
        SVHNError: The notebook ran on drawn digits, or the README has no place for the table.
    """
    figures = read_figures(notebook)
    if not figures or not all(shown.data.real for shown in figures.values()):
        raise SVHNError("only figures of real digits are published; set SVHN_DATA to real digits and run it again")
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    if not TABLE.search(text):
        raise SVHNError(
            f"{readme} has no lines <!-- results --> and <!-- /results -->; put them where the table is to be"
        )
    write_json(models / RESULTS, to_json(figures))
    records = {name: load_record(models, name) for name in stored_names(models)}
    asked = [record for name, record in records.items() if name in MODELS]
    table = f"{headline(asked)}\n\n{results_table(records, figures)}".lstrip()
    write_cards(models, asked)
    write_text(readme, TABLE.sub(lambda place: f"{place[1]}{table}\n{place[2]}", text))


def read_results(models: Path) -> dict[str, Figures]:
    """The published figures by question, as `write_results` wrote them.

    Raises:
        SVHNError: There are none, or they are damaged.
    """
    return read_json(models / RESULTS, dict[str, Figures], "restore it from git, or publish again: make publish")


def results_table(records: dict[str, Record], figures: dict[str, Figures]) -> str:
    """A Markdown table of the models that the reference has too, and of the figures of 3.1 and 4.2.

    Args:
        records: The records of the stored models, by name.
        figures: The figures by question.
    """
    lines = [
        "| model | parameters | validation | test (95 % interval) | reference hand-in |",
        "|---|---|---|---|---|",
    ]
    for name, record in records.items():
        measured, data = record.accuracy, record.data
        if name not in MODELS or not data:
            continue
        lines.append(
            f"| {name} | {record.parameters:,} | {measured['validation']:.1%} "
            f"| {share_with_interval(measured['test'], data.test)} | {REFERENCE.get(name, '')} |"
        )
    for question, shown in figures.items():
        validation = shown.figures.get("validation_accuracy")
        for name, share in shown.figures.items():
            if not name.startswith("test_accuracy"):
                continue
            label = f"{question} {name.removeprefix('test_accuracy').replace('_', ' ').strip()}".strip()
            interval = share_with_interval(share, shown.data.test)
            cells = [label, "", f"{validation:.1%}" if validation else "", interval]
            lines.append(f"| {' | '.join(cells)} | {REFERENCE.get(label, '')} |")
    return "\n".join(lines)
