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
from svhn.learning.records import counted_looks, load_record, looks_by_digits, stored_names
from svhn.notebook.cells import FIGURES_MIME, RESULTS, read_figures

_TABLE = re.compile(r"(<!-- results -->\n).*?(<!-- /results -->)", re.S)
# Best validation accuracy of the reference hand-in, trained on 63,544 real digits; in per cent.
REFERENCE = {
    "model_1_1": 84.5,
    "model_1_2": 85.7,
    "model_1_3": 88.9,
    "model_2_1": 95.7,
    "model_2_2": 96.6,
    "model_4_1": 93.2,
}


def show_figures(question: str, split: Split, **figures: float) -> None:
    """Shows measured figures under the digits they were measured on, and hands them on with the notebook's outputs.

    Args:
        question: "3.1".
        split: The digits of this run.
        **figures: Shares 0..1, by name.
    """
    lines = [f"Measured on: {split.digits.description}"]
    lines += [f"{name.replace('_', ' ').capitalize()}: {value:.2%}" for name, value in figures.items()]
    content = {"question": question, "data": split.provenance, "figures": figures}
    display({FIGURES_MIME: content, "text/plain": "\n".join(lines)}, raw=True)


def show_answer(answer: str) -> None:
    """Shows a written answer as a quotation, whose lines wrap on every page that a notebook is shown on."""
    display({"text/html": f"<blockquote>{html.escape(answer)}</blockquote>", "text/plain": answer}, raw=True)


def write_results(notebook: nbformat.NotebookNode, models: Path, readme: Path) -> None:
    """Writes the figures of an executed notebook beside the models, and the README's table.

    Raises:
        SVHNError: The notebook ran on drawn digits, or the README has no place for the table.
    """
    figures = read_figures(notebook)
    if not figures or not all(content["data"]["real"] for content in figures.values()):
        raise SVHNError("only figures of real digits are published; set SVHN_DATA to real digits and run it again")
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    if not _TABLE.search(text):
        raise SVHNError(
            f"{readme} has no lines <!-- results --> and <!-- /results -->; put them where the table is to be"
        )
    for question, content in figures.items():
        content.update(_looks(models, question, content))
    write_json(models / RESULTS, figures)
    table = results_table(models, figures)
    write_text(readme, _TABLE.sub(lambda place: f"{place[1]}{table}\n{place[2]}", text))


def _looks(models: Path, question: str, content: dict[str, Any]) -> dict[str, Any]:
    """How many different figures of this question were published, by test digits, these included."""
    fingerprint = content["data"]["fingerprint"]
    try:
        earlier = json.loads((models / RESULTS).read_text(encoding="utf-8"))[question]
        looks, same = looks_by_digits(earlier), earlier["figures"] == content["figures"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        looks, same = {}, False
    return counted_looks(looks, fingerprint, more=0 if same and fingerprint in looks else 1)


def wilson(share: float, of: int) -> tuple[float, float]:
    """The 95 % interval of a share 0..1 that was measured on `of` digits (Wilson, 1927)."""
    z = 1.96
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * (share * (1 - share) / of + z * z / (4 * of * of)) ** 0.5
    return middle - half, middle + half


def results_table(models: Path, figures: dict[str, Any]) -> str:
    """A Markdown table of every stored model and of the figures of 3.1 and 4.2, each with its digits."""
    lines = [
        "| model | parameters | learned from | best epoch, val. | file, val. | file, test (95 % interval) "
        "| looks at test | reference, val. | seconds to train |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in [name for name in stored_names(models) if name in REFERENCE]:
        record = load_record(models, name)
        best, measured = max(record["learning_curves"]["val_accuracy"]), record["accuracy"]
        lines.append(
            f"| {name} | {record['parameters']:,} | {_learned_from(record['data'])} | {best:.1%} "
            f"| {measured['validation']:.2%} | {_with_interval(measured['test'], record['data']['test'])} "
            f"| {record.get('test_looks', '')} | {REFERENCE[name]} % | {record['seconds']:,.0f} ({record['backend']}) |"
        )
    for question, content in figures.items():
        for name, value in content["figures"].items():
            validation = name.startswith("validation")
            cells = [f"{question}: {name.replace('_', ' ')}", *[""] * 8]
            cells[4 if validation else 5] = (
                f"{value:.2%}" if validation else _with_interval(value, content["data"]["test"])
            )
            cells[6] = "" if validation else str(content["test_looks"])
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _learned_from(data: dict[str, Any]) -> str:
    # A record from before drawn digits extended a training counts its digits in one number.
    counts = {"real": data.get("train_real", data["train"]), "drawn": data.get("train_drawn", 0)}
    parts = [f"{count:,} {kind}" for kind, count in counts.items() if count]
    return ", ".join(parts + ["teacher"] * ("teacher" in data))


def _with_interval(share: float, of: int) -> str:
    low, high = wilson(share, of)
    return f"{share:.2%} ({100 * low:.1f} to {100 * high:.1f})"
