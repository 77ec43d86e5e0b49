"""The published figures: `models/results.json` and the README's table, from records and the executed notebook alone."""

import html
import json
import re
from pathlib import Path
from typing import Any

import nbformat
from IPython.display import display

from svhn.data.protocol import Split
from svhn.errors import SVHNError
from svhn.files import write_json, write_text
from svhn.learning.records import Record, load_record, stored_names
from svhn.notebook.cards import headline, share_with_interval, write_cards
from svhn.notebook.cells import FIGURES_MIME, RESULTS, read_figures
from svhn.rubric.questions import MODELS, REFERENCE
from svhn.typed import to_json

TABLE = re.compile(r"(<!-- results -->\n).*?(<!-- /results -->)", re.S)


def show_figures(question: str, split: Split, **figures: float) -> None:
    """Shows measured figures under the digits they were measured on, and hands them on with the notebook's outputs.

    Args:
        question: "3.1".
        split: The digits of this run.
        **figures: Shares 0..1, by name.
    """
    lines = [f"Measured on: {split.digits.description}"]
    lines += [f"{name.replace('_', ' ').capitalize()}: {value:.2%}" for name, value in figures.items()]
    content = {"question": question, "data": to_json(split.provenance), "figures": figures}
    display({FIGURES_MIME: content, "text/plain": "\n".join(lines)}, raw=True)


def show_answer(answer: str) -> None:
    """Shows a written answer as a quotation, whose lines wrap on every page that a notebook is shown on."""
    display({"text/html": f"<blockquote>{html.escape(answer)}</blockquote>", "text/plain": answer}, raw=True)


def show_results(models: str | Path) -> None:
    """Shows the table of the stored models: parameters, accuracy on validation and test digits, the reference's."""
    records = {name: load_record(models, name) for name in stored_names(models)}
    table = results_table(records, {})
    digits = {record.data.name for record in records.values() if record.data}
    note = (
        f"Measured on the stored files; validation and test digits of {', '.join(sorted(digits)) or 'no known digits'}."
    )
    display({"text/markdown": f"{table}\n\n{note}", "text/plain": f"{table}\n{note}"}, raw=True)


def write_results(notebook: nbformat.NotebookNode, models: Path, readme: Path) -> None:
    """Writes the figures of an executed notebook and the models' cards beside the models, and the README's table.

    Raises:
        SVHNError: The notebook ran on drawn digits, or the README has no place for the table.
    """
    figures = read_figures(notebook)
    if not figures or not all(content["data"]["real"] for content in figures.values()):
        raise SVHNError("only figures of real digits are published; set SVHN_DATA to real digits and run it again")
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    if not TABLE.search(text):
        raise SVHNError(
            f"{readme} has no lines <!-- results --> and <!-- /results -->; put them where the table is to be"
        )
    write_json(models / RESULTS, figures)
    records = {name: load_record(models, name) for name in stored_names(models)}
    asked = [record for name, record in records.items() if name in MODELS]
    table = f"{headline(asked)}\n\n{results_table(records, figures)}".lstrip()
    write_cards(models, asked)
    write_text(readme, TABLE.sub(lambda place: f"{place[1]}{table}\n{place[2]}", text))


def read_results(models: Path) -> dict[str, Any]:
    """The published figures by question, as `write_results` wrote them.

    Raises:
        SVHNError: There are none, or they are damaged.
    """
    path = models / RESULTS
    try:
        published = json.loads(path.read_text(encoding="utf-8"))
        # Checked here, so that no reader of them need do it.
        if not all(isinstance(share, float) for content in published.values() for share in content["figures"].values()):
            raise ValueError("a figure is no number")
        return published
    except FileNotFoundError:
        raise SVHNError(f"{path} is missing; restore it from git, or publish again: make publish") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SVHNError(f"{path} is damaged ({error}); restore it from git, or publish again: make publish") from error


def results_table(records: dict[str, Record], figures: dict[str, Any]) -> str:
    """A Markdown table of every model that the reference has too, and of the figures of 3.1 and 4.2.

    Args:
        records: Of the stored models, by name.
        figures: As `read_figures` gives them.
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
    for question, content in figures.items():
        shares, of = content["figures"], content["data"]["test"]
        validation = shares.get("validation_accuracy")
        for name, share in shares.items():
            if not name.startswith("test_accuracy"):
                continue
            label = f"{question} {name.removeprefix('test_accuracy').replace('_', ' ').strip()}".strip()
            cells = [label, "", f"{validation:.1%}" if validation else "", share_with_interval(share, of)]
            lines.append(f"| {' | '.join(cells)} | {REFERENCE.get(label, '')} |")
    return "\n".join(lines)
